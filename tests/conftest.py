"""Settings of all tests."""

import torch


def pytest_configure() -> None:
    # Small networks run faster on one thread, and results do not depend on the cores.
    torch.set_num_threads(1)
