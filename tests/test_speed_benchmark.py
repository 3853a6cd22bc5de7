"""The speed benchmark: its measuring, its rewriting of the authors' scripts, its page."""

import warnings
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from networks import flat, make_case, relative, replay
from reference import maxl_step
from sklearn.exceptions import ConvergenceWarning
from torch import nn
from torch.nn.utils import parameters_to_vector

from benchmarks.common.operations import operations
from benchmarks.common.rows import read
from benchmarks.speed import __main__ as speed
from benchmarks.speed import arms, cases, goals, reference, scaling, single
from benchmarks.speed.figures import section as panels_of
from benchmarks.speed.memory import peak_memory
from benchmarks.speed.numbers import number, time_of
from benchmarks.speed.one_fit import own_process
from benchmarks.speed.reference_steps import Reference
from benchmarks.speed.rows import Row, machines, of_section, summarize, write
from benchmarks.speed.tables import of_section as tables_of
from benchmarks.speed.timing import interleaved
from sklearn_maxl.backbones import MLP, ConvNet

FOLDER = Path(__file__).parents[1] / "benchmarks"

# Measuring


def test_the_memory_of_a_known_allocation_is_counted_to_the_byte():

    def two_of_three_at_once():
        a = torch.zeros(2**20)
        b = torch.zeros(2**20)
        del a
        torch.zeros(2**19)
        del b

    peak = peak_memory(two_of_three_at_once)
    assert peak == pytest.approx(2 * 4 * 2**20, abs=256)  # the allocator may align


def test_the_operations_of_a_known_product_are_counted():
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    assert operations(lambda: a @ b) == 2 * 3 * 5 * 7


def test_methods_take_turns_and_the_first_round_is_left_out():
    calls = []

    def method(name):
        return lambda: calls.append(name) or float(len(calls))

    seconds = interleaved({"a": method("a"), "b": method("b")}, 2)
    assert calls == ["a", "b"] * 3
    assert seconds == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_ratios_are_taken_round_by_round():
    rows = summarize(
        "arms", "cpu", "case", "a", {"a": [1.0, 2.0, 4.0], "b": [2.0, 6.0, 4.0]}, 10,
        {"a": 100, "b": 400}, {"a": 2**20, "b": 2**21},
    )  # fmt: skip
    assert (rows[1].median_seconds, rows[1].median_ratio) == (4.0, 2.0)
    assert (rows[1].quartile_25, rows[1].quartile_75) == (1.5, 2.5)
    assert (rows[1].operations_ratio, rows[1].peak_mb, rows[1].memory_ratio) == (4, 2, 2)


def test_a_section_replaces_its_own_rows_only(tmp_path):
    path = tmp_path / "results" / "speed.csv"

    def row(section, device, method):
        return Row(section, device, "case", method, "a")

    write(path, "arms", "cpu", "first", [row("arms", "cpu", "a"), row("arms", "cpu", "b")])
    write(path, "arms", "cuda", "second", [row("arms", "cuda", "a")])
    write(path, "single", "cpu", "third", [row("single", "cpu", "a")])
    write(path, "arms", "cpu", "fourth", [row("arms", "cpu", "c")])
    rows = read(path)
    assert machines(path) == {"arms, cpu": "fourth", "arms, cuda": "second", "single, cpu": "third"}
    assert [(r["section"], r["device"], r["method"]) for r in rows] == [
        ("arms", "cuda", "a"),
        ("single", "cpu", "a"),
        ("arms", "cpu", "c"),
    ]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own record")
def test_a_process_of_its_own_does_not_count_the_memory_of_the_one_that_starts_it():
    held = torch.ones(2**29)  # 2 GB; importing torch for CUDA takes half of it
    found = own_process(samples=400, features=20, auxiliary=None)
    assert 0 < found["bytes"] < held.nbytes
    assert found["seconds"] > 0


# The authors' scripts, written anew


def gradients(case, **settings):
    """Gradient of the generator that one step of the rewritten scripts makes."""
    scripts = Reference(deepcopy(case.f), deepcopy(case.g), lr=0.3, **settings)
    scripts.generator_optimizer = torch.optim.SGD(scripts.generator_weights, lr=0.0)
    scripts.generator_step(case.batch.x, case.batch.y)
    return flat({name: p.grad for name, p in scripts.g.named_parameters()})


def paper_case(net, entropy_weight):
    case = make_case(net, gamma=2.0, optimizer="sgd")
    terms = {"entropy_weight": entropy_weight}
    recipe = replace(case.recipe, auxiliary_weight=1.0, regularisers=terms)
    return case._replace(recipe=recipe)


@pytest.mark.parametrize("frugal", [False, True])
@pytest.mark.parametrize("net", ["mlp", "conv"])
def test_the_exact_script_has_the_gradient_of_an_independent_double_backward(net, frugal):
    case = paper_case(net, 0.2)
    *_, expected = maxl_step(*case, replay)
    assert relative(gradients(case, frugal=frugal), flat(expected)) < 1e-12


@pytest.mark.parametrize("frugal", [False, True])
@pytest.mark.parametrize("net", ["mlp", "conv"])
def test_the_first_order_script_estimates_the_gradient_without_its_entropy(net, frugal):
    case = paper_case(net, 0.0)
    *_, expected = maxl_step(*case, replay)
    error = relative(gradients(case, first_order=True, frugal=frugal), flat(expected))
    assert 0 < error < 0.1


@pytest.mark.parametrize("first_order", [False, True])
def test_what_is_left_out_of_the_scripts_changes_nothing(first_order):
    case = paper_case("conv", 0.2)
    batches = [(case.batch.x, case.batch.y), (case.meta.x, case.meta.y)]
    trained = []
    for settings in ({}, {"frugal": True}, {"diagnostics": True}):
        one = Reference(deepcopy(case.f), deepcopy(case.g), first_order=first_order, **settings)
        one.epoch(batches)
        trained.append(parameters_to_vector([*one.f.parameters(), *one.g.parameters()]).detach())
    for other in trained[1:]:
        assert relative(other, trained[0]) < 1e-9
    before = parameters_to_vector([*case.f.parameters(), *case.g.parameters()])
    assert relative(before.detach(), trained[0]) > 1e-6
    assert len(one.cosines) == 2
    assert all(-1 <= cosine <= 1 for cosine in one.cosines)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 7.0),
        ({"diagnostics": True}, 8.33),
        ({"frugal": True}, 5.0),
        ({"first_order": True}, 7.67),
        ({"first_order": True, "diagnostics": True}, 9.0),
        ({"first_order": True, "frugal": True}, 5.67),
    ],
)
def test_the_scripts_have_the_known_number_of_operations(settings, expected):
    # On deep networks: the first layer, which passes no gradient on, must not weigh much.
    case = cases.Case("", MLP((32,) * 30), (4,), 64, 64)
    fitted = cases.Estimator(case, "cpu").fit().clf.net_
    plain = cases.Estimator(case, "cpu", auxiliary=None).fit()
    one = Reference(deepcopy(fitted.module_), deepcopy(fitted.generator_), **settings)
    counted = operations(lambda: one.epoch(reference.batches_of(case, "cpu")))
    assert counted / operations(plain.more) == pytest.approx(expected, rel=0.07)


# The sections and the page


@pytest.fixture
def tiny(monkeypatch):
    """Sizes of a smoke test and a single table."""
    table = cases.Case("MLP, 64 features", MLP((8,)), (64,), 64, 32)
    for section in (arms, reference):
        monkeypatch.setattr(section, "cases", lambda run: [table])
    monkeypatch.setattr(scaling, "own_process", lambda **_: {"seconds": 0.5, "bytes": 2**20})
    monkeypatch.setattr(arms, "ARMS", {k: v for k, v in arms.ARMS.items() if k != "kmeans"})
    monkeypatch.setattr(arms, "FITS", ("None", "maxl"))
    fit = single.Fit("MLP, digits", torch.rand(160, 4).numpy(), (torch.arange(160) % 2).numpy(),
                     MLP((8,)), 40, 1)  # fmt: skip
    monkeypatch.setattr(single, "fits", lambda run: [fit])


@pytest.mark.usefixtures("tiny")
def test_a_smoke_run_writes_nothing_into_the_project(monkeypatch, capsys):
    kept = []
    monkeypatch.setattr(speed, "write", lambda path, *_: kept.append(path))
    speed.main(["reference", "--smoke"])
    assert kept
    assert not kept[0].exists()
    assert FOLDER not in kept[0].parents
    assert "reference, first-order" in capsys.readouterr().out


def test_an_unknown_section_is_named(capsys):
    with pytest.raises(SystemExit):
        speed.main(["arm"])
    assert "no section arm; there are arms, reference" in capsys.readouterr().err


@pytest.mark.usefixtures("tiny")
def test_every_section_has_its_rows_its_figure_and_its_tables(tmp_path):
    from benchmarks.common.figures import draw

    run, results = cases.Run(smoke=True), tmp_path / "speed.csv"
    sections = ("arms", "reference", "single", "defaults", "scaling", "predict")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for section in sections:
            rows = speed.SECTIONS[section](run)
            assert len({(r.case, r.method, r.base) for r in rows}) == len(rows)
            write(results, section, "cpu", speed.comment_on(run, rows), rows)
    assert set(machines(results)) == {f"{section}, cpu" for section in sections}
    texts = {}
    for section in sections:
        figures = [tmp_path / f"{section}_{i}.svg" for i in range(2)]
        for panel in panels_of(of_section(section, "cpu", results)):
            for figure in figures:
                draw(panel, figure)
            assert figures[0].read_bytes() == figures[1].read_bytes()
        texts[section] = tables_of(of_section(section, "cpu", results))
        for row in of_section(section, "cpu", results):
            kind = row["case"].split(": ")[0] if section == "scaling" else row["case"]
            assert f"{kind} (ratios to {row['base']})\n~~~" in texts[section]
            assert f" - ``{row['method']}``\n" in texts[section]
    assert "``reference, exact, with diagnostics``" in texts["reference"]
    for text in texts.values():
        assert "    \n" not in text
        assert str(tmp_path) not in text


def goal(text, **columns):
    """What the page says of the only goal with such a text."""
    row = dict.fromkeys(
        ("operations_ratio", "memory_ratio", "peak_mb", "median_ratio", "median_seconds"), ""
    )
    (found,) = [g for g in goals.goals([{**row, **columns}]) if text in g.text]
    return found.measured, found.reached


def test_goals_are_judged_by_what_was_measured():
    arm = {
        "section": "arms", "device": "cpu", "case": "ConvNet, 28", "method": "maxl", "base": "None",
    }  # fmt: skip
    assert goal("4.05", **arm, operations_ratio="4.05") == ("4.05", True)
    assert goal("4.05", **arm, operations_ratio="4.06") == ("4.06", False)
    theirs = {**arm, "section": "reference", "method": "reference, exact", "base": "exact"}
    assert goal("1.6 times", **theirs, median_ratio="1.59") == ("1.59", False)
    assert goal("30 %", **theirs, memory_ratio="1.5") == ("1.5", True)
    mine = {
        **arm, "section": "single", "case": "MLP (100,), digits as a table",
        "method": "MAXLClassifier(auxiliary=None)", "base": "bare torch loop",
    }  # fmt: skip
    assert goal("1.25", **mine, median_ratio="1.3", median_seconds="2") == ("1.3", False)
    assert not goals.goals([{**arm, "case": "ConvNet: a fit of 10 epochs", "median_ratio": "9"}])


def test_goals_that_compare_two_rows():

    def row(section, case, method, seconds, samples=""):
        empty = dict.fromkeys(("operations_ratio", "memory_ratio", "peak_mb", "median_ratio"), "")
        return {**empty, "section": section, "device": "cpu", "case": case, "method": method,
                "base": "", "median_seconds": seconds, "samples": samples}  # fmt: skip

    case, ours = "MLP (100,), 100,000 rows x 20", "MAXLClassifier(auxiliary=None)"
    rows = [row("single", case, ours, "1.1"), row("single", case, "sklearn MLPClassifier", "1.0")]
    rows += [
        row("scaling", f"samples: {n}", "maxl", s, n)
        for n, s in (("1000", "9"), ("10000", "1"), ("100000", "10.5"))
    ]
    found = {g.text: (g.measured, g.reached) for g in goals.goals(rows)}
    assert list(found.values()) == [("1.1", False), ("1.05", True)]


def test_numbers_are_written_as_people_write_them():
    numbers = ("0", "0.00123456", "4.0", "12.345", "1234.5", "0.0000004")
    assert [number(n) for n in numbers] == [
        "0", "0.00123", "4", "12.3", "1,234", "0.0000004",
    ]  # fmt: skip
    assert [time_of(s) for s in ("2", "0.0123", "0.00002")] == ["2 s", "12.3 ms", "20 µs"]


def test_the_bare_loop_trains_the_network_of_the_estimator():
    X = torch.randint(256, (20, 1, 8, 8), dtype=torch.uint8).numpy()
    fit = single.Fit("", X, (torch.arange(20) % 2).numpy(), ConvNet((4, 8)), 10, 1)
    ours = single.ours(fit).net_.module_
    theirs = single.bare_loop(fit)

    def shapes(net):
        return [p.shape for p in net.parameters()]

    assert shapes(theirs) == shapes(nn.ModuleList([ours.trunk, ours.primary_head]))
    buffers = [b.shape for b in theirs.buffers()]
    assert buffers == [b.shape for b in ours.trunk.buffers()]
