"""The benchmarks' own machinery: runs that resume, tables, readers."""

from functools import partial

import numpy as np
import pytest

from benchmarks.common.means import mean_and_error
from benchmarks.common.resume import resume
from benchmarks.common.rows import column
from benchmarks.common.tables import Table
from benchmarks.studies import (
    cheaper,
    full_data,
    larger_than_memory,
    pages,
    paper_table1,
    regression_of_tables,
)
from benchmarks.studies import cifar100_hierarchy as cifar


def square(calls, fail_at, arm, seed):
    calls.append((arm, seed))
    if seed == fail_at:
        raise RuntimeError("the power failed")
    return (seed**2,)


def test_rows_that_are_there_are_not_run_again(tmp_path):
    path, calls = tmp_path / "results" / "a.csv", []
    keys = [(arm, seed) for arm in (None, "maxl") for seed in range(3)]
    run = partial(resume, path, ["arm", "seed"], ["value"], n_jobs=1)
    with pytest.raises(RuntimeError, match="power"):
        run(keys, partial(square, calls, 2))
    assert len(calls) == 3
    rows = run(keys, partial(square, calls, None))
    assert calls[3:] == keys[2:]  # what was done before the failure is kept
    assert len(rows) == 6
    assert run(keys, partial(square, calls, 0)) == rows
    assert path.read_text().startswith("# ")
    assert column(rows, "value", arm=None).tolist() == [0, 1, 4]
    assert column(rows, "value", arm="maxl", seed=2).tolist() == [4]


def test_a_mean_has_its_standard_error():
    assert mean_and_error(np.array([0.1, 0.3])) == "20.00 ± 10.00"
    assert mean_and_error(np.array([1.0, 3.0]), 1, "+", 1) == "+2.0 ± 1.0"


def test_a_mean_of_nothing_is_left_out_and_one_value_has_no_error():
    assert mean_and_error(np.array([])) == ""
    assert mean_and_error(np.array([0.5])) == "50.00 ± nan"


def test_a_table_is_written_for_a_page_for_the_readme_and_for_a_terminal():
    table = Table(("arm", "points"), [("``maxl``", "+1.00"), ("single", "")])
    assert table.rst().splitlines() == [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - arm",
        "     - points",
        "   * - ``maxl``",
        "     - +1.00",
        "   * - single",
        "     -",
    ]
    assert table.markdown().splitlines()[:3] == [
        "| arm | points |", "|---|---|", "| ``maxl`` | +1.00 |",
    ]  # fmt: skip
    assert table.text() == "arm     points\nmaxl    +1.00\nsingle"


def test_a_number_is_not_torn_from_its_error_or_the_end_of_its_range():
    cells = ("+1.00 ± 0.20", "0.5 to 2", "two ± three, from here to there", "1.0 ± nan")
    row = Table(("",), [cells]).markdown().splitlines()[-1]
    assert row.replace("\N{NO-BREAK SPACE}", "_") == (
        "| +1.00_±_0.20 | 0.5_to_2 | two ± three, from here to there | 1.0_±_nan |"
    )


def test_variants_are_compared_over_the_seeds_that_all_of_them_have():
    def row(variant, seed, accuracy):
        return {"data_set": "digits", "variant": variant, "seed": seed,
                "validation_accuracy": accuracy, "test_accuracy": accuracy}  # fmt: skip

    rows = [row("maxl", "0", "0.5"), row("maxl", "1", "0.7"), row("maxl", "2", "0.0")]
    rows += [row("head", "0", "0.6"), row("head", "1", "0.8")]
    costs = [
        {"data_set": "digits", "variant": v, "operation_ratio": "2.5"} for v in ("maxl", "head")
    ]
    assert list(pages.cheaper(rows, costs).body) == [
        ("digits, 2 seeds", "maxl", "2.50", "60.00 ± 10.00", "60.00 ± 10.00"),
        ("digits, 2 seeds", "head", "2.50", "+10.00 ± 0.00", "+10.00 ± 0.00"),
    ]


def test_a_text_quotes_a_variant_set_by_set():
    rows = [
        {"data_set": d, "variant": v, "seed": s, "validation_accuracy": a}
        for d, v, s, a in [
            *(("digits", "maxl", "0", "0.5"), ("digits", "maxl", "1", "0.7")),
            *(("digits", "every 8", "1", "0.8"), ("digits", "every 8", "0", "0.6")),
        ]
    ]
    assert pages.against_exact(rows, "every 8") == "digits +10.00 ± 0.00"


def test_folders_and_archives_of_images_are_read(tmp_path):
    images = pytest.importorskip("PIL.Image")
    rng = np.random.RandomState(0)
    X = rng.randint(256, size=(4, 3, 32, 32)).astype(np.uint8)
    y = np.array([0, 1, 0, 1])
    np.savez(tmp_path / "svhn.npz", X_train=X, y_train=y, X_test=X[:2], y_test=y[:2])
    (train, labels), (test, _) = paper_table1.load("svhn", tmp_path)
    np.testing.assert_array_equal(train, X)
    assert labels.tolist() == [0, 1, 0, 1]
    assert len(test) == 2
    for part, number in (("train", 0), ("train", 1), ("test", 2), ("test", 3)):
        own = tmp_path / "ucf101" / part / "ab"[y[number]]
        own.mkdir(parents=True, exist_ok=True)
        images.fromarray(X[number].transpose(1, 2, 0)).save(own / f"{number}.png")
    (train, labels), (test, _) = paper_table1.load("ucf101", tmp_path)
    np.testing.assert_array_equal(train, X[:2])
    np.testing.assert_array_equal(test, X[2:])
    assert labels.tolist() == ["a", "b"]


def test_a_set_that_is_nowhere_says_where_to_put_it(tmp_path):
    with pytest.raises(SystemExit, match=r"cinic10 is not in torchvision: put cinic10\.npz"):
        paper_table1.load("cinic10", tmp_path)


def test_arms_of_cifar_share_a_stratified_subset(monkeypatch):
    rng = np.random.RandomState(0)
    X, fine = rng.randint(256, size=(400, 3, 32, 32)).astype(np.uint8), np.arange(400) % 100
    monkeypatch.setattr(cifar, "load", lambda subset: (X, fine))
    a, b = (cifar.take(0.5, seed=1) for _ in range(2))
    np.testing.assert_array_equal(a[0], b[0])
    assert np.bincount(a[1]).tolist() == [2] * 100
    assert not np.array_equal(a[0], cifar.take(0.5, seed=2)[0])
    monkeypatch.setitem(cifar.NETWORKS, "small", "mlp")
    for arm in cifar.ARMS:
        accuracy, loss, seconds = cifar.run(20, 100, 1.0, "small", "default", 1, arm, 0)
        assert 0 <= accuracy <= 1
        assert loss > 0
        assert seconds >= 0


def test_arms_at_full_data_run_and_stand_beside_none_and_evenly_spread_labels(monkeypatch):
    rng = np.random.RandomState(0)
    X, fine = rng.randint(256, size=(100, 3, 16, 16)).astype(np.uint8), np.arange(100)
    monkeypatch.setattr(full_data, "cifar100", lambda subset: (X, fine))
    scores = {arm: full_data.run("mlp", 1, 50, "float32", arm, 0)[:2] for arm in full_data.ARMS}
    assert len(set(scores.values())) == len(full_data.ARMS)  # each arm is a fit of its own
    rows = [
        {"network": "convnet", "epochs": "1", "arm": str(arm), "seed": str(seed),
         "accuracy": accuracy, "log_loss": "1"}
        for arm, of_seeds in ((None, "0.5 0.7"), ("uniform", "0.6 0.8"))
        for seed, accuracy in enumerate(of_seeds.split())
    ]  # fmt: skip
    single, uniform = pages.full_data(rows).body
    assert single[3:5] == ("", "-10.00 ± 0.00")
    assert uniform[2:5] == ("70.00 ± 10.00", "+10.00 ± 0.00", "")


def test_every_cheap_variant_fits_and_without_a_switch_it_is_the_packages_step(monkeypatch, images):
    monkeypatch.setitem(cheaper.VARIANTS, "no switch", cheaper.Variant(cheaper.learned(), {}))
    X, y = images
    probabilities = {
        name: cheaper.fit("digits", name, 0, X[:100], y[:100], max_epochs=2).predict_proba(X)
        for name in cheaper.VARIANTS
    }
    np.testing.assert_array_equal(probabilities.pop("no switch"), probabilities.pop("maxl"))
    assert all(np.isfinite(p).all() for p in probabilities.values())


def test_a_number_to_predict_has_noise_that_a_seed_draws():
    (X, y), (_, same), (_, other) = (regression_of_tables.data("friedman1", s) for s in (0, 0, 1))
    assert X.shape == (4000, 10)
    np.testing.assert_array_equal(y, same)
    assert abs(np.corrcoef(y, other)[0, 1]) < 0.1


def test_methods_of_regression_are_compared_on_the_same_problems():
    keys = {"n": "200", "data_set": "a", "seed": "0", "seconds": "1.5"}
    rows = [
        {**keys, "method": "auxiliary=None", "r2": "0.5"},
        {**keys, "method": "other", "r2": "0.7"},
        {**keys, "seed": "1", "method": "auxiliary=None", "r2": "0.1"},
        {**keys, "seed": "1", "method": "other", "r2": "0.5"},
    ]
    first, second = pages.regression_of_tables(rows).body
    assert first == ("200", "auxiliary=None", "0.300", "", "1.5", "2")
    assert second == ("200", "other", "0.600", "+0.300 ± 0.100", "1.5", "2")


def test_the_service_has_a_row_for_each_setting():
    row = {"clients": "4", "rows": "1", "replace_every": "0.5", "requests": "200", "load": "1.0"}
    row |= {"p50": "1.26", "p90": "2", "p99": "3", "max": "4", "cpu": "1.5", "per_second": "99.6"}
    (cells,) = pages.serving([{**row, "failed": "0"}]).body
    assert cells == ("4", "1", "every 0.5 s", "1.3", "3.0", "4.0", "1.5", "100", "0", "1.0")


def test_images_in_a_file_and_in_memory_are_beside_each_other():
    row = {"megabytes": "64", "way": "memory map", "images": "1000", "load": "0.5", "before": "9"}
    row |= {"peak": f"{3 * 2**20}", "seconds_fit": "4", "cpu_fit": "2"}
    row |= {"seconds_predict": "1", "cpu_predict": "0.5"}
    (cells,) = pages.larger_than_memory([row]).body
    assert cells == ("64", "memory map", "3", "250 (500)", "1000 (2000)")


def test_the_memory_of_a_process_is_told_without_its_files(tmp_path):
    before = larger_than_memory.anonymous()
    assert before > 0
    # 64 MB at once are new memory, and none that was freed before.
    larger_than_memory.write(tmp_path / "images.npy", 64)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert images.shape == (larger_than_memory.images_in(64), *larger_than_memory.SHAPE)
    images.sum()
    read = larger_than_memory.anonymous()
    held = np.array(images)
    assert larger_than_memory.anonymous() - read > held.nbytes / 2 > read - before


def test_two_processes_are_compared_with_one_within_a_round():
    row = {"width": "1.0", "batch_size": "64", "least": "100", "load": "0.5"}
    times = [(0, 1, 3.0), (0, 2, 2.0), (1, 1, 4.0), (1, 2, 2.0)]
    rows = [
        {**row, "round": str(i), "processes": str(k), "seconds": str(t), "bytes": "101"}
        for i, k, t in times
    ]
    (cells,) = pages.scaling(rows).body
    assert cells == ("1.0", "64", "3.500", "2.000", "1.75", "1.50 to 2.00", "1.010", "0.5")
