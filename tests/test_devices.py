"""The device parameter."""

import pytest
import torch

from sklearn_maxl._environment.devices import resolve_device

no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


def test_the_cpu_is_there():
    assert resolve_device("cpu") == torch.device("cpu")


@no_cuda
def test_auto_is_the_cpu_where_there_is_nothing_else():
    assert resolve_device("auto") == torch.device("cpu")


@no_cuda
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:3"])
def test_cuda_is_refused_where_there_is_none(device):
    with pytest.raises(ValueError, match=f"device='{device}' was asked for.*finds 0 CUDA devices"):
        resolve_device(device)


@pytest.mark.parametrize("count", [1, 2])
def test_a_cuda_device_beyond_the_last_is_refused(monkeypatch, count):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device(f"cuda:{count - 1}") == torch.device("cuda", count - 1)
    with pytest.raises(ValueError, match=f"finds {count} CUDA devices"):
        resolve_device(f"cuda:{count}")


@pytest.mark.parametrize("device", ["gpu", "", "CPU", "cuda:x", "cuda:-1", "tpu:0"])
def test_what_is_no_device_is_refused(device):
    with pytest.raises(ValueError, match="use 'auto', 'cpu', 'cuda'"):
        resolve_device(device)


@pytest.mark.parametrize("device", ["meta", "xpu", "mps"])
def test_a_device_that_is_not_there_is_refused(device):
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("there is one")
    with pytest.raises(ValueError, match=f"device='{device}'"):
        resolve_device(device)
