"""The device parameter, and what is asked of a device."""

import contextlib
import pickle
import types

import numpy as np
import pytest
import torch
from skorch.exceptions import DeviceWarning

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._environment import devices, random_state
from sklearn_maxl._environment.devices import (
    available,
    can_hold,
    check_precision,
    free_memory,
    is_type,
    resolve_device,
    sent,
)
from sklearn_maxl._environment.random_state import isolated_rng, seed_rng

CPU, META = torch.device("cpu"), torch.device("meta")
alone = pytest.mark.skipif(torch.accelerator.is_available(), reason="there is an accelerator")


@pytest.fixture
def machine(monkeypatch):
    """Makes torch find other accelerators than there are."""

    def has(kind, count, current=0):
        for name, answer in {
            "is_available": count > 0,
            "current_accelerator": torch.device(kind) if count else None,
            "device_count": count,
            "current_device_index": current,
        }.items():
            monkeypatch.setattr(torch.accelerator, name, lambda answer=answer: answer)

    return has


def test_the_cpu_is_there():
    assert resolve_device("cpu") == resolve_device("cpu:0") == resolve_device(CPU) == CPU


@alone
def test_auto_is_the_cpu_where_there_is_nothing_else():
    assert resolve_device("auto") == CPU


@pytest.mark.parametrize("kind", ["cuda", "mps", "xpu"])
def test_auto_is_the_accelerator_of_the_machine(machine, kind):
    machine(kind, 1)
    assert resolve_device("auto") == resolve_device(kind) == torch.device(kind, 0)


def test_a_device_has_the_number_that_its_tensors_have(machine):
    """Else the two would not be equal, and tensors that are there would be moved again."""
    machine("xpu", 3, current=2)
    assert resolve_device("auto") == resolve_device("xpu") == torch.device("xpu", 2)
    assert resolve_device("xpu:1") == torch.device("xpu", 1)


@alone
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:3", "mps", "xpu", "meta", "cpu:1"])
def test_a_device_that_is_not_there_is_refused(device):
    said = f"device='{device}' is not there: .* finds 'cpu'; use one of these or device='auto'"
    for given in (device, torch.device(device)):
        with pytest.raises(ValueError, match=said):
            resolve_device(given)
    assert available(device) == CPU


@pytest.mark.parametrize("count", [1, 2])
def test_a_device_beyond_the_last_is_refused(machine, count):
    machine("cuda", count)
    assert resolve_device(f"cuda:{count - 1}") == torch.device("cuda", count - 1)
    found = ", ".join(["'cpu'", *(f"'cuda:{i}'" for i in range(count))])
    for device in (f"cuda:{count}", "mps"):
        with pytest.raises(ValueError, match=f"finds {found}; use one"):
            resolve_device(device)


@pytest.mark.parametrize("device", ["gpu", "", "CPU", "cuda:x", "cuda:-1", "tpu:0"])
def test_what_is_no_device_is_refused(device):
    with pytest.raises(ValueError, match="is not a device; use 'auto', 'cpu' or an accelerator"):
        resolve_device(device)


def test_a_file_may_name_the_device_types_that_torch_knows():
    names = ("cpu", "cuda", "mps", "xpu", "cuda:0", "gpu", "")
    assert [is_type(name) for name in names] == [True] * 4 + [False] * 3


# Numbers, memory and precision


def test_only_apple_s_gpus_lack_float64():
    held = [can_hold(torch.device(kind), torch.float64) for kind in ("cpu", "cuda", "xpu", "mps")]
    assert held == [True, True, True, False]
    assert can_hold(torch.device("mps"), torch.float32)


def test_free_memory_is_that_of_a_device_that_says(monkeypatch):
    def refuse(device):
        raise RuntimeError("not supported")

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (7, 9))
    monkeypatch.setattr(torch.xpu, "mem_get_info", refuse)
    asked = [free_memory(torch.device(kind)) for kind in ("cuda", "xpu", "mps", "cpu")]
    assert asked == [7, None, None, None]


class Pinned:
    """A tensor of the CPU that notes how it is sent."""

    device = CPU

    def __init__(self):
        self.done = []

    def pin_memory(self):
        self.done.append("pinned")
        return self

    def to(self, device, **options):
        self.done.append((str(device), options))
        return self


@pytest.mark.parametrize("device", ["cuda:0", "mps:0", "xpu:0", "cpu"])
def test_only_cuda_is_sent_to_without_waiting(device):
    tensor = sent(Pinned(), torch.device(device))
    cuda = device == "cuda:0"
    expected = [(device, {"non_blocking": True} if cuda else {})]
    assert tensor.done == (["pinned", *expected] if cuda else expected)


def test_what_lies_on_the_device_is_not_pinned():
    tensor = Pinned()
    tensor.device = torch.device("cuda", 0)
    assert sent(tensor, torch.device("cuda")).done == [("cuda", {})]


def test_a_precision_that_a_device_lacks_is_told():
    check_precision("float32", None, META)
    check_precision("bfloat16", torch.bfloat16, CPU)
    with pytest.raises(ValueError, match=r"precision='bfloat16' is not supported .*device 'meta'"):
        check_precision("bfloat16", torch.bfloat16, META)
    with pytest.raises(ValueError, match="use precision='float32'"):  # torch warns of this one
        check_precision("float64", torch.float64, CPU)


# Random numbers of an accelerator


class Accelerator(types.ModuleType):
    """What torch keeps for a type of devices, with a random state for each of two."""

    def __init__(self, name, several):
        super().__init__(name)
        self.states, self.current = {0: 10, 1: 11}, 0
        if several:
            self.device = self.chosen

    @contextlib.contextmanager
    def chosen(self, device):
        before, self.current = self.current, device.index
        yield
        self.current = before

    def get_rng_state(self, device):
        return torch.tensor([self.states[device.index]])

    def set_rng_state(self, state, device):
        self.states[device.index] = int(state)

    def manual_seed(self, seed):
        self.states[self.current] = seed


@pytest.mark.parametrize(("kind", "number"), [("xpu", 1), ("cuda", 0), ("mps", 0)])
def test_an_accelerator_is_seeded_and_gets_its_state_back(monkeypatch, kind, number):
    module, device = Accelerator(kind, kind != "mps"), torch.device(kind, number)
    monkeypatch.setattr(torch, kind, module)
    # torch keeps the module that it found first.
    monkeypatch.setattr(torch, "get_device_module", torch.get_device_module.__wrapped__)
    other, before = 1 - number, torch.get_rng_state()
    with isolated_rng(5, device) as state:
        assert module.states == {number: 5, other: 10 + other}
        assert state().tolist() == [5]
        seed_rng(6, device)
        assert state().tolist() == [6]
        assert torch.initial_seed() == 6  # of the CPU, which is seeded too
    assert module.states == {0: 10, 1: 11}
    assert module.current == 0
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("device", [CPU, META])
def test_what_has_no_random_state_uses_the_cpu_s(device):
    assert random_state._of_accelerator(device) is None
    with isolated_rng(3, device) as state:
        assert torch.equal(state(), torch.get_rng_state())


# Pickles


def test_a_pickle_goes_back_to_its_device_where_that_is_there(iris, monkeypatch):
    X, y = iris
    clf = MAXLClassifier(lr=0.01, max_epochs=2, random_state=0).fit(X, y)
    clf.net_.device = "mps"
    with pytest.warns(DeviceWarning, match="trained on 'mps', which is not there"):
        here = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(here.predict_proba(X), clf.predict_proba(X))
    monkeypatch.setattr("sklearn_maxl._training.net.available", lambda device: META)
    monkeypatch.setattr(devices, "WITHOUT_FLOAT64", {"meta"})
    net = pickle.loads(pickle.dumps(clf)).net_
    assert net.device == "meta"
    for network in (net.module_, net.generator_):
        assert all(p.is_meta for p in network.parameters())
        assert network.standardize.mean.device == CPU
