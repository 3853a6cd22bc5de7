"""Settings and data of all tests."""

import os
import signal
from collections.abc import Iterator

# Read once, when scipy is imported: without it scikit-learn skips its array-API check.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# device="auto" is the CPU in tests: a GPU rounds otherwise. Read when torch first looks for one.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import pytest
import torch
from hypothesis import settings
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_iris

# The same examples in every run, so that a change is judged by what it changes. `make random` looks
# for new ones. No deadlines: a machine at work on other things is no fault.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("random", max_examples=1000, deadline=None)
settings.load_profile("same")


def pytest_configure() -> None:
    # Small networks run faster on one thread, and results do not depend on the cores.
    torch.set_num_threads(1)


@pytest.fixture
def iris() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A table: (150, 4), three classes."""
    return load_iris(return_X_y=True)  # type: ignore[no-any-return]


@pytest.fixture
def images() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images of one channel: (200, 1, 8, 8), uint8, ten classes."""
    X, y = load_digits(return_X_y=True)
    return X[:200].reshape(-1, 1, 8, 8).astype(np.uint8), y[:200]


@pytest.fixture
def ctrl_c_is_heard() -> Iterator[None]:
    """A process that was started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
