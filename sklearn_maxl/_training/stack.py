"""Networks that differ in settings and in the rows that count, trained at once as a stack.

Each has the parameters, the batches and the random numbers that it would have by itself; what
they share is the pass through the stack (`torch.func.vmap`), so that a step of many small
networks takes little longer than that of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import vmap
from torch.optim import Optimizer

from .._data.arrays import mean_one
from .._data.batches import TrainingData, shuffled
from .._environment.interrupts import let_through
from .._environment.threads import torch_threads
from .._maths.at_parameters import AtParameters, parameters_of
from .._maths.step import Batch, training_loss
from .._maths.virtual_step import RULES
from .._networks.multi_task import MultiTaskNet
from ..optimizers import Holder
from .fitted import Fitted
from .net import MAXLNet
from .plan import Plan
from .progress import UNTOLD, Task
from .runs import training_data
from .schedules import Rates
from .settings import Settings
from .steps import RandomNumbers, Step

# Samples times networks that a stack predicts at once.
AT_ONCE = 2**15


@dataclass
class Layer:
    """The networks of one candidate: one for each set of weights of the rows."""

    t: dict[str, Tensor]
    """Parameters with an axis of networks in front."""
    optimizer: Optimizer
    rates: Rates
    epochs: int


def can_stack(settings: Sequence[Settings], net: MAXLNet) -> bool:
    """Whether networks of such settings, of which `net` is one, can be a stack.

    Theirs must be code of this package, which is known to do under `vmap` what it does alone,
    the optimizer one that treats each value by itself, and no label may be learned.
    """
    first = settings[0]
    alike = all(values(replace(s, max_epochs=first.max_epochs)) == values(first) for s in settings)
    # A function of a user's may look at shapes, which have an axis more here.
    holder = isinstance(first.optimizer, Holder)
    elementwise = holder and type(net.optimizer_) in RULES
    plain = first.labels is None and first.precision == "float32" and first.step_class is Step
    own = "backbone" not in first.user_code
    return alike and elementwise and plain and own and not moving_buffers(net.module_)


def values(settings: Settings) -> tuple[object, ...]:
    """All of them, to compare: what is the same object is not asked, as an array can't be."""
    return tuple(getattr(settings, field.name) for field in fields(settings))


def moving_buffers(module: MultiTaskNet) -> list[str]:
    """Names of running statistics, which a pass through a stack would mix."""
    return [n for n, _ in module.named_buffers() if n not in module.constant_buffers]


def train_stack(
    settings: Sequence[Settings],
    fitted: Fitted,
    plan: Plan,
    weights: NDArray[np.float64],
    task: Task = UNTOLD,
) -> NDArray[np.float32]:
    """Outputs of all networks for all rows of the plan, (settings, weights, rows, outputs).

    Parameters
    ----------
    settings : sequence of Settings
        One candidate each, alike but for the number of epochs.
    fitted : Fitted
        Fresh networks of the first settings: where all start. It is used up.
    plan : Plan
        What all are trained on, on the same batches.
    weights : array of shape (networks, rows)
        Of the rows for each network of a candidate; 0 is left out.
    """
    net, module, data = fitted.net, fitted.net.module_, training_data(fitted, plan)
    w = torch.as_tensor(np.stack([mean_one(own) for own in weights])).to(data.train.y.device)
    random_numbers = RandomNumbers.of(module, None, data.train, net.random_state)
    layers = [_layer(s, net, len(weights)) for s in settings]
    with torch_threads(settings[0].n_threads):
        module.train()
        f = AtParameters(module, module.outputs)
        size = settings[0].batch_size_of(len(data))
        for number in range(max(layer.epochs for layer in layers)):
            epoch = task.epoch()
            learning = [layer for layer in layers if number < layer.epochs]
            for layer in learning:
                layer.rates.next_epoch([layer.optimizer])
            for index in shuffled(data.train, size, net.random_state):
                let_through()
                batch = data.batch(index, net.random_state)
                with random_numbers.of_a_step() as replay:
                    replay()
                    _step(f, learning, batch, w[:, index], settings[0])
            epoch.end()
        module.eval()
        return np.stack([_outputs(module, layer.t, data) for layer in layers])


def _layer(settings: Settings, net: MAXLNet, n: int) -> Layer:
    t = {
        name: p.detach().expand(n, *p.shape).clone().requires_grad_()
        for name, p in parameters_of(net.module_).items()
    }
    optimizer = settings.optimizer(t.values(), lr=settings.lr)
    rates = Rates(settings.schedule, settings.max_epochs, [optimizer])
    return Layer(t, optimizer, rates, settings.max_epochs)


def _step(
    f: AtParameters, layers: list[Layer], batch: Batch, w: Tensor, settings: Settings
) -> None:
    """One step of every network; `w` are the weights of the samples for each of a candidate's."""

    def loss(t: Mapping[str, Tensor], w: Tensor) -> Tensor:
        return training_loss(f, t, replace(batch, weight=w), None, settings.recipe)[0]

    t = {name: torch.cat([layer.t[name] for layer in layers]) for name in layers[0].t}
    # A network's loss depends on its own parameters alone: the gradient of the sum is that of each.
    vmap(loss, randomness="same")(t, w.repeat(len(layers), 1)).sum().backward()
    for layer in layers:
        layer.optimizer.step()
        layer.optimizer.zero_grad()


def _outputs(
    module: MultiTaskNet, t: Mapping[str, Tensor], data: TrainingData
) -> NDArray[np.float32]:
    """What networks predict of all samples, none of them augmented."""
    prepare = data.prepare or (lambda x: x)
    f = AtParameters(module, module.primary_of)
    t = {name: p.detach() for name, p in t.items()}
    size = max(1, AT_ONCE // len(next(iter(t.values()))))
    parts = []
    with torch.no_grad():
        for x in data.train.parts(size):
            let_through()
            parts.append(vmap(f, in_dims=(0, None))(t, prepare(x)).cpu())
    return torch.cat(parts, dim=1).numpy()
