"""Where a training stands, as the header and the tensors of a file, and back.

A net is restored in place: fresh networks, optimizers and random numbers get what the others
had, once it is known that they fit.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._maths.meta_gradient import META_GRADIENTS, WithFallback
from .._networks.rebuilt import check_finite, check_share, compare
from .._networks.trunk import Network
from .._training.early_stopping import BestState
from .._training.history import History, Row
from .._training.net import MAXLNet, State
from .entries import Checked
from .json_values import NotPlainError, Plain, decode, encode
from .optimizer_state import Tensors, optimizer_to_parts, restore_optimizer

# Buffers that come from the data and the parameters alone.
CONSTANT = {*Network.constant_buffers} - {"primary_share"}
N_KEYS = 624  # of NumPy's Mersenne twister


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


def restore_training(net: MAXLNet, header: Checked, tensors: Tensors) -> None:
    """Put a fresh net where another one stood."""
    net.load_state(checked_state(net, "net", tensors))
    restore_random_state(net.random_state, decode(header["random_state"]), tensors)
    stored, optimizers = header["optimizers"], net.optimizers()
    if len(stored) != len(optimizers):
        raise ValueError(f"it has {len(stored)} optimizers, and this fit has {len(optimizers)}")
    for number, (optimizer, own) in enumerate(zip(optimizers, stored, strict=True)):
        restore_optimizer(optimizer, own, part(f"optimizer.{number}", tensors))
    restore_meta_gradient(net.meta_gradient_, header["meta_gradient"])
    net.rates_.epoch = header["n_scheduled"]
    net.n_steps_, net.n_generator_steps_ = header["n_steps"], header["n_generator_steps"]
    net.epochs_[:] = checked_epochs(net, decode(header["rows"]), header["n_epochs"])
    net.history[:] = checked_rows(decode(header["rows_of_skorch"]), header["n_epochs"])


def checked_state(net: MAXLNet, name: str, tensors: Tensors) -> State:
    """The weights and buffers of one part, which have to be those of the net."""
    expected, found = net.state(), nested(name, tensors)
    if found.keys() != expected.keys():
        raise ValueError("it does not have the networks of this fit")
    for network, own in found.items():
        compare(expected[network], own, network.rstrip("_"))
        check_finite(own)
        for key in CONSTANT & own.keys():
            if not torch.equal(own[key], expected[network][key]):
                raise ValueError(f"its tensor {key!r} is not that of this fit")
        check_share(own.get("primary_share"))
    return found


def restore_random_state(rng: np.random.RandomState, stored: object, tensors: Tensors) -> None:
    """Put a generator where it was; NumPy reads beyond its memory where a state is none."""
    keys = tensors.get("random_state")
    match stored:
        case "MT19937", int(place), 0 | 1 as has_next, float(following) if keys is not None:
            whole = keys.dtype == torch.int64 and keys.shape == (N_KEYS,)
            whole = whole and bool(((keys >= 0) & (keys < 2**32)).all() and keys.any())
            if whole and 0 <= place <= N_KEYS and math.isfinite(following):
                numbers = keys.numpy().astype(np.uint32)
                rng.set_state(("MT19937", numbers, place, has_next, following))
                return
    raise ValueError("its state of random numbers is none")


def restore_meta_gradient(meta_gradient: WithFallback, stored: list[object]) -> None:
    """Which of the two ways it goes, and whether the first was tried."""
    match stored:
        case [str(name), bool(checked)] if name in META_GRADIENTS:
            meta_gradient.function, meta_gradient.checked = META_GRADIENTS[name], checked
        case _:
            raise ValueError("its meta-gradient is none")


def checked_epochs(net: MAXLNet, rows: list[Any], n: int) -> list[Row]:
    """Rows of so many epochs, with the columns that the end of a fit reads."""
    epochs = list(History.from_state({"rows": rows, "trials": []})) if rows else []
    if len(epochs) != n or any(row["epoch"] != i for i, row in enumerate(epochs, start=1)):
        raise ValueError("its history does not have all of its epochs")
    shapes: dict[str, tuple[int, ...]] = {}
    if net.settings.early_stopping:
        shapes["validation_score"] = ()
    if net.settings.learned is not None and net.hierarchy is not None:
        shapes["auxiliary_in_use"] = net.hierarchy.psi.shape
    for name, shape in shapes.items():
        if any(name not in row or np.shape(row[name]) != shape for row in epochs):
            raise ValueError(f"its history lacks {name!r} of an epoch")
    return epochs


def checked_rows(rows: list[Any], n: int) -> list[dict[str, Any]]:
    """Rows of skorch's history: what callbacks recorded of each epoch, and of its last batch."""
    whole = len(rows) == n and all(
        type(row) is dict
        and all(type(key) is str for key in row)
        and type(batches := row.get("batches")) is list
        and all(type(batch) is dict for batch in batches)
        for row in rows
    )
    if not whole:
        raise ValueError("its rows of net.history are not those of its epochs")
    return rows


def restore_best(net: MAXLNet, best: BestState[State], header: Checked, tensors: Tensors) -> None:
    """Put early stopping where it was."""
    match header["best"] and [decode(value) for value in header["best"]]:
        case [float(score), int(waited)] if score == score and waited >= 0:
            best.score, best.waited = score, waited
            best.state = checked_state(net, "best", tensors)
        case _:
            raise ValueError("its best epoch is none")


# Callbacks


def states_of_callbacks(net: MAXLNet) -> Plain:
    """What callbacks give of themselves, by name."""
    states: Plain = {}
    for name, callback in net.callbacks_:
        if has_state(callback):
            with plain_or_refused(f"state_dict of the callback {name}", "let it give plain values"):
                states[name] = encode(callback.state_dict())
    return states


def restore_callbacks(net: MAXLNet, header: Checked) -> None:
    """Give callbacks back what they gave."""
    states = header["callbacks"]
    for name, callback in net.callbacks_:
        if has_state(callback):
            if name not in states:
                raise ValueError(f"it lacks the state of the callback {name}")
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
