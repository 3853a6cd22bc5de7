"""Which device a fit runs on, and what differs between devices.

torch names them by a type and, where there may be several, a number: "cuda:1". Everything
that holds for some types alone is asked here.
"""

import warnings

import torch
from torch import Tensor

WITHOUT_FLOAT64 = {"mps"}  # the GPUs of Apple's machines


def resolve_device(device: str | torch.device) -> torch.device:
    """Turn the `device` parameter into a torch device that is there.

    ``"auto"`` is the current accelerator where torch finds one, else the CPU.
    """
    if device == "auto":
        return _as_of_tensors(_accelerator() or torch.device("cpu"))
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r} is not a device; use 'auto', 'cpu' or an accelerator by its name, "
            "such as 'cuda', 'cuda:1', 'mps' or 'xpu'."
        ) from error
    there = available_devices()
    if (resolved.index or 0) >= len([d for d in there if d.type == resolved.type]):
        found = ", ".join(repr(str(d)) for d in there)
        raise ValueError(
            f"device={str(device)!r} is not there: this torch ({torch.__version__}) finds {found}; "
            "use one of these or device='auto'."
        )
    return _as_of_tensors(resolved)


def available(device: str) -> torch.device:
    """The device, or the CPU where it is missing: a pickle may be opened on another machine."""
    try:
        return resolve_device(device)
    except ValueError:
        return torch.device("cpu")


def is_type(name: str) -> bool:
    """Whether torch knows a type of devices, there or not: "cpu", "cuda", "mps"."""
    try:
        return torch.device(name).type == name
    except RuntimeError:
        return False


def available_devices() -> list[torch.device]:
    """The CPU and the accelerators of this machine."""
    kind = _accelerator()
    count = 0 if kind is None else torch.accelerator.device_count()
    return [torch.device("cpu"), *(torch.device(kind.type, i) for i in range(count) if kind)]


def _accelerator() -> torch.device | None:
    # Asked first: a build for CUDA names it on a machine without a GPU, too.
    there = torch.accelerator.is_available()
    return torch.accelerator.current_accelerator() if there else None


def _as_of_tensors(device: torch.device) -> torch.device:
    """The device as tensors on it name it, so that the two compare as equal."""
    if device.type == "cpu":
        return torch.device("cpu")
    index = torch.accelerator.current_device_index() if device.index is None else device.index
    return torch.device(device.type, index)


def can_hold(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether a device has a type of numbers."""
    return dtype != torch.float64 or device.type not in WITHOUT_FLOAT64


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device. CUDA is not waited for: its next copy runs beside its work."""
    if tensor.device.type == "cpu" and device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a device; None where it has no memory of its own or does not say."""
    ask = getattr(getattr(torch, device.type, None), "mem_get_info", None)
    try:
        return None if ask is None else int(ask(device)[0])
    except RuntimeError:  # of some of Intel's
        return None


def check_precision(precision: str, dtype: torch.dtype | None, device: torch.device) -> None:
    """Refuse a type that networks can't be computed in there; None is their own."""
    if dtype is not None and not _has_autocast(device, dtype):
        raise ValueError(
            f"precision={precision!r} is not supported by torch {torch.__version__} on the device "
            f"{str(device)!r}; use precision='float32' or another device."
        )


def _has_autocast(device: torch.device, dtype: torch.dtype) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns and goes on without
            with torch.autocast(device.type, dtype):
                return torch.is_autocast_enabled(device.type)
    except RuntimeError:
        return False
