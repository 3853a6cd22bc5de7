"""An optimizer as the header and the tensors of a file, and back.

Its tensors lie in memory as the weights that they belong to. What a file says is held against an
optimizer that has made a step: an optimizer asks its own state for what it finds there.
"""

import copy
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from .entries import Checked
from .json_values import NotPlainError, Plain, decode, encode

Tensors = dict[str, Tensor]

LARGEST = 1e300  # of a setting; a whole number of a file may have any size


def optimizer_to_parts(optimizer: Optimizer) -> tuple[Plain, Tensors]:
    """Groups of parameters and numbers as a header, and tensors by parameter and name."""
    whole = optimizer.state_dict()
    if whole.keys() != {"state", "param_groups"}:
        raise NotPlainError("its state_dict has more than state and param_groups")
    numbers: dict[int, dict[str, object]] = {}
    tensors: Tensors = {}
    for index, own in whole["state"].items():
        numbers[index] = {key: v for key, v in own.items() if not isinstance(v, Tensor)}
        tensors |= {f"{index}.{key}": v for key, v in own.items() if isinstance(v, Tensor)}
    return {"groups": encode(whole["param_groups"]), "numbers": encode(numbers)}, tensors


def restore_optimizer(optimizer: Optimizer, stored: Checked, tensors: Tensors) -> None:
    """Undo `optimizer_to_parts`."""
    groups = decode(stored["groups"])
    if not same_groups(groups, optimizer.state_dict()["param_groups"]):
        raise ValueError(f"its settings of {type(optimizer).__name__} are not those of this fit")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    numbers = decode(stored["numbers"])
    pairs: list[Any] = list(numbers.items()) if type(numbers) is dict else [(None, None)]
    if any(type(index) is not int or type(own) is not dict for index, own in pairs):
        raise ValueError(f"its state of {type(optimizer).__name__} is not one for each weight")
    state: dict[int, dict[str, object]] = {index: dict(own) for index, own in pairs}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        if not index.isdecimal() or int(index) not in state or int(index) >= len(parameters):
            raise ValueError(f"there is no weight for its tensor {name!r}")
        state[int(index)][key] = laid_out_as(parameters[int(index)], tensor)
    if not fits(state, optimizer):
        raise ValueError(f"its state of {type(optimizer).__name__} is not one of this fit")
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def same_groups(found: list[Any], expected: list[dict[str, Any]]) -> bool:
    """Whether groups of parameters are those of an optimizer, but for numbers.

    Schedules change these, and leave numbers of their own.
    """
    return len(found) == len(expected) and all(
        type(mine) is dict
        and mine.keys() >= theirs.keys()
        and all(same_setting(value, theirs.get(key)) for key, value in mine.items())
        for mine, theirs in zip(found, expected, strict=True)
    )


def same_setting(value: object, expected: object) -> bool:
    """Whether a setting of an optimizer is what it was, or another finite number."""
    if is_number(value):
        finite = -LARGEST < value < LARGEST  # type: ignore[operator]
        return finite and (expected is None or is_number(expected))
    if type(value) is tuple and type(expected) is tuple and len(value) == len(expected):
        return all(map(same_setting, value, expected))
    return type(value) is type(expected) and bool(value == expected)


def is_number(value: object) -> bool:
    """Whether it is a number of Python or NumPy, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


def fits(state: dict[int, dict[str, object]], optimizer: Optimizer) -> bool:
    """Whether a state is one that an optimizer of torch can go on from; others are their users'."""
    if not type(optimizer).__module__.startswith("torch.optim."):
        return True
    expected = kinds(after_a_step(optimizer))
    return all(expected.get(index) == own for index, own in kinds(state).items())


def after_a_step(optimizer: Optimizer) -> dict[int, dict[str, object]]:
    """The state of an optimizer that has made a step, for each of its parameters."""
    other = copy.deepcopy(optimizer)
    for group in other.param_groups:
        for p in group["params"]:
            p.grad = torch.zeros_like(p)
    other.step()
    state: dict[int, dict[str, object]] = other.state_dict()["state"]
    return state


def kinds(state: dict[int, dict[str, object]]) -> dict[int, dict[str, object]]:
    """Types and shapes of what is in a state."""
    return {
        index: {
            key: (v.shape, v.dtype) if isinstance(v, Tensor) else type(v) for key, v in own.items()
        }
        for index, own in state.items()
    }


def laid_out_as(parameter: Tensor, tensor: Tensor) -> Tensor:
    """A tensor of a parameter's shape in the parameter's memory layout: kernels rely on it."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype, device="cpu").copy_(tensor)
