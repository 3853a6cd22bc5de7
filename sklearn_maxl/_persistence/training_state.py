"""Where a training stands, as the header and the tensors of a file, and back.

A net is restored in place: fresh networks, optimizers and random numbers get what the others
had. Tensors of an optimizer lie in memory as the weights that they belong to.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from .._maths.meta_gradient import META_GRADIENTS
from .._training.early_stopping import BestState
from .._training.history import History
from .._training.net import MAXLNet, State
from .json_values import NotPlainError, Plain, decode, encode, field

Tensors = dict[str, Tensor]


def training_to_parts(net: MAXLNet, best: BestState[State] | None) -> tuple[Plain, Tensors]:
    """Header and tensors of a training between two epochs."""
    tensors = flat("net", net.state())
    kind, keys, *rest = net.random_state.get_state()
    tensors["random_state"] = torch.from_numpy(np.asarray(keys, np.int64))
    optimizers: list[Plain] = []
    for number, optimizer in enumerate(net.optimizers()):
        with plain_or_refused(f"state of {type(optimizer).__name__}", "take another optimizer"):
            stored, own = optimizer_to_parts(optimizer)
        optimizers.append(stored)
        tensors |= {f"optimizer.{number}.{key}": t for key, t in own.items()}
    with plain_or_refused("rows of net.history", "let callbacks record numbers and text only"):
        rows_of_skorch = encode(list(net.history))
    meta_gradient = net.meta_gradient_
    names = {function: name for name, function in META_GRADIENTS.items()}
    header: Plain = {
        "random_state": encode((kind, *rest)),
        "optimizers": optimizers,
        "meta_gradient": [names[meta_gradient.function], meta_gradient.checked],
        "n_epochs": net.epochs_.n_epochs,
        "n_scheduled": net.rates_.epoch,
        "n_steps": net.n_steps_,
        "n_generator_steps": net.n_generator_steps_,
        "rows": encode(list(net.epochs_)),
        "rows_of_skorch": rows_of_skorch,
        "callbacks": states_of_callbacks(net),
        "best": None,
    }
    if best is not None:
        header["best"] = [encode(float(best.score)), best.waited]
        tensors |= flat("best", best.state)
    return header, tensors


def restore_training(net: MAXLNet, header: Plain, tensors: Tensors) -> None:
    """Put a fresh net where another one stood."""
    net.load_state(nested("net", tensors))
    kind, *rest = decode(field(header, "random_state", dict))
    net.random_state.set_state((kind, tensors["random_state"].numpy().astype(np.uint32), *rest))
    stored = field(header, "optimizers", list)
    for number, (optimizer, own) in enumerate(zip(net.optimizers(), stored, strict=True)):
        restore_optimizer(optimizer, own, part(f"optimizer.{number}", tensors))
    name, net.meta_gradient_.checked = field(header, "meta_gradient", list)
    net.meta_gradient_.function = META_GRADIENTS[name]
    net.rates_.epoch = field(header, "n_scheduled", int)
    net.n_steps_ = field(header, "n_steps", int)
    net.n_generator_steps_ = field(header, "n_generator_steps", int)
    if rows := decode(field(header, "rows", list)):
        net.epochs_[:] = History.from_state({"rows": rows, "trials": []})
    if net.epochs_.n_epochs != field(header, "n_epochs", int):
        raise ValueError("its history does not have all of its epochs")
    net.history[:] = decode(field(header, "rows_of_skorch", list))


def restore_best(best: BestState[State], header: Plain, tensors: Tensors) -> None:
    """Put early stopping where it was."""
    score, best.waited = field(header, "best", list)
    best.score, best.state = decode(score), nested("best", tensors)


# Optimizers


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


def restore_optimizer(optimizer: Optimizer, stored: Plain, tensors: Tensors) -> None:
    """Undo `optimizer_to_parts`."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, object]] = decode(field(stored, "numbers", dict))
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        state[int(index)][key] = laid_out_as(parameters[int(index)], tensor)
    groups = decode(field(stored, "groups", list))
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def laid_out_as(parameter: Tensor, tensor: Tensor) -> Tensor:
    """A tensor of a parameter's shape in the parameter's memory layout: kernels rely on it."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype, device="cpu").copy_(tensor)


# Callbacks


def states_of_callbacks(net: MAXLNet) -> Plain:
    """What callbacks give of themselves, by name."""
    states: Plain = {}
    for name, callback in net.callbacks_:
        if has_state(callback):
            with plain_or_refused(f"state_dict of the callback {name}", "let it give plain values"):
                states[name] = encode(callback.state_dict())
    return states


def restore_callbacks(net: MAXLNet, header: Plain) -> None:
    """Give callbacks back what they gave."""
    states = field(header, "callbacks", dict)
    for name, callback in net.callbacks_:
        if has_state(callback):
            callback.load_state_dict(decode(states[name]))


def has_state(callback: object) -> bool:
    """Whether a callback gives its state and takes it back."""
    return hasattr(callback, "state_dict") and hasattr(callback, "load_state_dict")


# Tensors of parts


def flat(name: str, state: Mapping[str, Mapping[str, Any]]) -> Tensors:
    """Weights and buffers of networks with the part's name, and the network's, before theirs."""
    for network, own in state.items():
        for key, value in own.items():
            if not isinstance(value, Tensor):
                raise ValueError(
                    f"Checkpoint can't hold {key!r} in the state of {network}, which is no tensor; "
                    "make it a buffer, or leave Checkpoint out."
                )
    return {f"{name}.{n}.{key}": t for n, own in state.items() for key, t in own.items()}


def nested(name: str, tensors: Tensors) -> State:
    """Undo `flat`."""
    state: State = {}
    for key, tensor in part(name, tensors).items():
        network, _, inner = key.partition(".")
        state.setdefault(network, {})[inner] = tensor
    return state


def part(name: str, tensors: Tensors) -> Tensors:
    """The tensors of one part."""
    prefix = f"{name}."
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}


@contextmanager
def plain_or_refused(what: str, cure: str) -> Iterator[None]:
    """Say what a checkpoint can't hold, and what to do."""
    try:
        yield
    except NotPlainError as error:
        raise ValueError(
            f"Checkpoint can't hold the {what}: {error}; {cure}, or leave Checkpoint out."
        ) from error
