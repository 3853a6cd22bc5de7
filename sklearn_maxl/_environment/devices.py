"""Which device a fit runs on."""

import torch


def resolve_device(device: str | torch.device) -> torch.device:
    """Turn the `device` parameter into a torch device that is there.

    ``"auto"`` is the current CUDA device where there is one, else the CPU.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r} is not a device; use 'auto', 'cpu', 'cuda' or 'cuda:1'."
        ) from error
    if resolved.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (resolved.index or 0) >= count:
            raise ValueError(
                f"device={device!r} was asked for, but this torch ({torch.__version__}) finds "
                f"{count} CUDA devices here; use device='auto' or 'cpu'."
            )
    elif resolved.type != "cpu":
        raise ValueError(f"device={device!r} is not supported; use 'auto', 'cpu' or 'cuda'.")
    return resolved
