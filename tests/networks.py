"""Small networks and batches: every kind of layer that a training pass treats apart."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_maxl._maths.at_parameters import AtParameters
from sklearn_maxl._maths.meta_gradient import MetaProblem
from sklearn_maxl._maths.step import Batch, Recipe, SoftLabels, meta_problem, multi_task_step
from sklearn_maxl._maths.virtual_step import VirtualStep
from sklearn_maxl._networks.label_generator import LabelGenerator
from sklearn_maxl._networks.multi_task import MultiTaskNet
from sklearn_maxl._networks.trunk import Standardize
from sklearn_maxl._tasks.auxiliary import Hierarchy, resolve_psi
from sklearn_maxl._tasks.views import Views, rotations

C = 3  # primary classes
QUARTER_TURNS, HALF_TURNS = rotations((1, 4, 4)), rotations((1, 4, 6))


class FunctionalDropout(nn.Module):
    """Dropout that no search for `nn.Dropout` would find."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.3, self.training)


class Attention(nn.Module):
    """Fused scaled-dot-product attention over the values of a sample."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(1, 12)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x.flatten(1).unsqueeze(2)).chunk(3, dim=2)
        return F.scaled_dot_product_attention(q, k, v).mean(1)


class WithFunction(nn.Module):
    """A linear layer followed by any function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 6)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.linear(x.flatten(1)))


class Cube(torch.autograd.Function):
    """A function of a user's own that has no forward mode."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return 3 * ctx.saved_tensors[0] ** 2 * grad


@torch.library.custom_op("sklearn_maxl_tests::cube", mutates_args=())
def cube(x: Tensor) -> Tensor:
    """An operator as extension packages register theirs."""
    return x**3


cube.register_autograd(
    lambda ctx, grad: 3 * ctx.x**2 * grad,
    setup_context=lambda ctx, inputs, output: setattr(ctx, "x", inputs[0]),
)


def sample_grid(x: Tensor) -> Tensor:
    """Sampling of an image: torch has no forward mode for it."""
    grid = torch.tanh(x[:, :4]).reshape(-1, 1, 2, 2)
    image = x.reshape(-1, 1, 2, 3)
    return F.grid_sample(image, grid, align_corners=False).flatten(1)


class Unreached(nn.Module):
    """One parameter is frozen, and one does not take part in the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(16, 7).requires_grad_(False)
        self.used = nn.Linear(7, 6)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.used(self.frozen(x.flatten(1))))


TRUNKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 6)),
    "conv": lambda: nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
    ),
    "instance_norm": lambda: nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
        nn.Tanh(),
        nn.Flatten(),
    ),
    "dropout": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Dropout(0.4), nn.Linear(8, 6),
        FunctionalDropout(),
    ),
    "attention": Attention,
    "unreached": Unreached,
}  # fmt: skip


def make_networks(
    trunk: str | Callable[[], nn.Module],
    psi: int | list[int] = 2,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    weight_range: float = 0.0,
    n_outputs: int = C,
    views: Views | None = None,
) -> tuple[MultiTaskNet, LabelGenerator]:
    """Multi-task net and label generator in training mode; the generator is an MLP."""
    torch.manual_seed(seed)
    make = TRUNKS[trunk] if isinstance(trunk, str) else trunk
    hierarchy = Hierarchy(resolve_psi(psi, torch.arange(C).numpy()), views)
    standardize = Standardize(torch.tensor(0.1), torch.tensor(1.5))
    body = make()
    n_features = body(torch.zeros(2, 1, 4, 4)).shape[1]
    for module in body.modules():  # the pass above is not a training pass
        if hasattr(module, "reset_running_stats"):
            module.reset_running_stats()
    f = MultiTaskNet(standardize, body, n_features, n_outputs, hierarchy).to(dtype)
    g = LabelGenerator(standardize, TRUNKS["mlp"](), 6, hierarchy, weight_range).to(dtype)
    if g.weight_head is not None:  # it starts as zero, where some gradients are zero too
        nn.init.normal_(g.weight_head.weight)
    return f, g


def make_batch(
    n: int = 7,
    weighted: bool = False,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    n_targets: int = 0,
    views: Views | None = None,
) -> Batch:
    """Random images of shape (1, 4, 4) with every class among them, in random views."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 1, 4, 4, generator=rng, dtype=torch.float64).to(dtype)
    y = torch.arange(n) % C
    weight = torch.rand(n, generator=rng, dtype=torch.float64).to(dtype) + 0.2 if weighted else None
    target = None
    if n_targets:
        target = 1.5 * torch.randn(n, n_targets, generator=rng, dtype=torch.float64).to(dtype)
    if views is None:
        return Batch(x, y, weight, target=target)
    v = torch.randint(views.n, (n,), generator=rng)
    return Batch(x, y, weight, target=target, view=views.each(x, v), block=views.n * y + v)


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.3),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.9, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
}


class Case(NamedTuple):
    """One step's networks, batches, optimizer and recipe."""

    f: MultiTaskNet
    g: LabelGenerator
    batch: Batch
    meta: Batch
    optimizer: torch.optim.Optimizer
    recipe: Recipe


def replay() -> None:
    """Start the random numbers of a pass again."""
    torch.manual_seed(11)


def make_case(
    net: str | Callable[[], nn.Module] = "mlp",
    dtype: torch.dtype = torch.float64,
    psi: int | list[int] = 2,
    another: bool = False,
    weighted: bool = False,
    optimizer: str = "sgd",
    steps: int = 0,
    gamma: float = 2.0,
    weight_range: float = 0.0,
    n_targets: int = 0,
    turned: bool = False,
    information_weight: float = 0.0,
    **numbers: Any,
) -> Case:
    """Networks, batches and an optimizer that has taken some real steps."""
    views = QUARTER_TURNS if turned else None
    f, g = make_networks(
        net, psi, dtype, weight_range=weight_range, n_outputs=n_targets or C, views=views
    )
    batch = make_batch(7, weighted, dtype, n_targets=n_targets, views=views)
    meta = make_batch(6, weighted, dtype, seed=1, n_targets=n_targets) if another else batch
    regularisers = {"entropy_weight": 0.2, "information_weight": information_weight}
    recipe = Recipe(gamma, auxiliary_weight=0.7, regularisers=regularisers, **numbers)
    opt = OPTIMIZERS[optimizer]([p for p in f.parameters() if p.requires_grad])
    for i in range(steps):
        opt.zero_grad()
        other = make_batch(7, weighted, dtype, seed=20 + i, n_targets=n_targets, views=views)
        multi_task_step(AtParameters(f), other, g(*other.labelled).detach(), recipe)
        opt.step()
    opt.zero_grad()
    return Case(f, g, batch, meta, opt, recipe)


def task_of(g: LabelGenerator, batch: Batch) -> SoftLabels:
    """What the generator makes of a batch, with its graph."""
    x, block = batch.labelled
    return SoftLabels(*g.task(g.prepare(x), block))


def problem_of_step(
    f: nn.Module,
    batch: Batch,
    meta: Batch,
    A: Tensor,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    *rest: Any,
    **options: Any,
) -> MetaProblem:
    """`meta_problem` of a module and its optimizer."""
    at = AtParameters(f)
    step = VirtualStep(optimizer, at.t)
    return meta_problem(at, batch, meta, A, recipe, step, *rest, **options)


def flat(gradients: dict[str, Tensor]) -> Tensor:
    return torch.cat([gradients[name].flatten() for name in sorted(gradients)])


def relative(a: Tensor, b: Tensor) -> float:
    return float(torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b))
