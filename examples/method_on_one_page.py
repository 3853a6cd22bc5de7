"""
A whole program of the method
=============================

MAXL as a plain PyTorch loop: two small networks, two optimizers, and one call of
``label_gradient``, which gives the exact gradient with respect to the labels. ``MAXLClassifier``
trains by the same step. :doc:`/loop` maps the lines to the paper's Algorithm 1.

Run it with ``python examples/method_on_one_page.py``; it takes a few seconds. It prints the test
accuracy with auxiliary labels and without. That is one split and one seed: it shows that the loop
runs, not which of the two is better.
"""

from collections.abc import Iterable

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.optim import Optimizer

from sklearn_maxl.functional import label_gradient

# %%
# The two networks
# ----------------
# The first predicts the class and, with its second head, the auxiliary class. The second makes
# the auxiliary labels. Class 0 owns the first ``psi`` auxiliary classes, class 1 the next, and so
# on; a label may lie in the block of the sample's own class only.


def trunk(n_inputs: int) -> nn.Module:
    """The layers in front of the heads."""
    return nn.Sequential(nn.Linear(n_inputs, 64), nn.ReLU())


class TwoHeads(nn.Module):
    """The multi-task network: ``x -> (logits of the classes, logits of the auxiliary classes)``."""

    def __init__(self, n_inputs: int, n_classes: int, psi: int):
        super().__init__()
        self.trunk = trunk(n_inputs)
        self.primary = nn.Linear(64, n_classes)
        self.auxiliary = nn.Linear(64, n_classes * psi)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(x)
        return self.primary(features), self.auxiliary(features)


class LabelGenerator(nn.Module):
    """The label generator: ``(x, y) -> Y``, a soft label for each sample."""

    def __init__(self, n_inputs: int, n_classes: int, psi: int):
        super().__init__()
        self.trunk = trunk(n_inputs)
        self.head = nn.Linear(64, n_classes * psi)
        self.register_buffer("owner", torch.arange(n_classes).repeat_interleave(psi))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        logits = self.head(self.trunk(x))
        foreign = self.owner != y[:, None]  # auxiliary classes of other classes
        return torch.softmax(logits.masked_fill(foreign, -torch.inf), dim=1)


# %%
# The loop
# --------


def train(
    network: nn.Module,
    generator: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: Optimizer,
    generator_optimizer: Optimizer,
    entropy_weight: float = 0.2,
) -> None:
    """Take one step of both networks for each batch ``(x, y)``."""
    for x, y in batches:
        step(network, generator, x, y, optimizer, generator_optimizer, entropy_weight)


def step(
    network: nn.Module,
    generator: nn.Module,
    x: Tensor,
    y: Tensor,
    optimizer: Optimizer,
    generator_optimizer: Optimizer,
    entropy_weight: float,
) -> None:
    """Take one step of both networks."""
    t = dict(network.named_parameters())
    share = 1 / len(x)  # of one sample in a mean over the batch

    # 1. The training loss and its gradient.
    Y = generator(x, y)
    primary, auxiliary = network(x)
    primary_loss = F.cross_entropy(primary, y)
    auxiliary_loss = (Y.detach() * -F.log_softmax(auxiliary, dim=1)).sum(1).mean()
    optimizer.zero_grad()
    (primary_loss + auxiliary_loss).backward()

    # 2. The meta-gradient: what a change of each label does to the primary loss one step later.
    def terms(t: dict[str, Tensor]) -> Tensor:
        """What each label is multiplied by in the training loss."""
        return share * -F.log_softmax(functional_call(network, t, x)[1], dim=1)

    def meta_loss(t: dict[str, Tensor]) -> Tensor:
        """The primary loss, which is taken at the parameters after the step."""
        return F.cross_entropy(functional_call(network, t, x)[0], y)

    meta = label_gradient(terms, meta_loss, t, optimizer)

    # 3. The gradient of the entropy term, which keeps all auxiliary classes in use.
    labels = Y.detach().requires_grad_()
    m = labels.mean(0)
    H = torch.xlogy(m, m.clamp_min(torch.finfo(m.dtype).tiny)).sum()
    (entropy_gradient,) = torch.autograd.grad(entropy_weight * H, labels)

    # 4. Both networks take their step.
    generator_optimizer.zero_grad()
    Y.backward(meta.gradient + entropy_gradient)
    optimizer.step()
    generator_optimizer.step()


# %%
# With and without
# ----------------
# Without: the same network from the same first weights, trained on the same batches by the
# primary loss alone.

N_TRAIN, PSI, EPOCHS, BATCH_SIZE = 300, 5, 30, 50


def random_batches(X: Tensor, y: Tensor) -> Iterable[tuple[Tensor, Tensor]]:
    """All batches of all epochs, in an order that is the same each time."""
    order = torch.Generator().manual_seed(0)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(y), generator=order).split(BATCH_SIZE):
            yield X[rows], y[rows]


def train_single_task(
    network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], optimizer: Optimizer
) -> None:
    """Train by the primary loss alone."""
    for x, y in batches:
        optimizer.zero_grad()
        F.cross_entropy(network(x)[0], y).backward()
        optimizer.step()


def main() -> None:
    """Train both on digits, and print their accuracy."""
    torch.set_num_threads(1)  # the fastest for networks as small as these
    X, y = load_digits(return_X_y=True)
    split = train_test_split(X / 16, y, train_size=N_TRAIN, stratify=y, random_state=0)
    X_train, X_test = (torch.tensor(part, dtype=torch.float32) for part in split[:2])
    y_train, y_test = map(torch.tensor, split[2:])

    for auxiliary_labels in (False, True):
        torch.manual_seed(0)
        network = TwoHeads(64, 10, PSI)
        optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
        batches = random_batches(X_train, y_train)
        if auxiliary_labels:
            generator = LabelGenerator(64, 10, PSI)
            generator_optimizer = torch.optim.Adam(generator.parameters(), lr=0.001)
            train(network, generator, batches, optimizer, generator_optimizer)
        else:
            train_single_task(network, batches, optimizer)
        with torch.no_grad():
            right = network(X_test)[0].argmax(1) == y_test
        name = "with auxiliary labels" if auxiliary_labels else "without"
        print(f"{name:22} test accuracy {right.float().mean():.3f}")


if __name__ == "__main__":
    main()
