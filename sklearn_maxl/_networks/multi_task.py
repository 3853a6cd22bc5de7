"""The multi-task network: the paper's ``f`` with parameters ``t`` (theta 1)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .._tasks.auxiliary import Hierarchy
from .members import mean_log_probability, mean_number, n_members
from .trunk import Frame, Network, Standardize, make_head


class MultiTaskNet(Network):
    """Shared trunk, primary head and auxiliary head: ``x -> (primary, auxiliary)``.

    The primary outputs are logits of the classes, or predicted targets. Without a
    `hierarchy` there is no auxiliary head and its logits are None. Where the hierarchy has
    views, the auxiliary logits are those of a view of each sample.

    With `both_heads`, and always with views, a `prediction` is the auxiliary head's, by the mean
    over the views, and the primary head has a say in it of `primary_share`. Else it is the
    primary head's alone.

    Where the trunk has members, both outputs have an axis of them in front. `primary`,
    `prediction`, `joint` and `auxiliary` say what the members say together: the mean of their
    probabilities or, with `numbers`, of their outputs.

    A `prediction` of classes is divided by `temperature`, which changes no order of them.
    """

    mask: Tensor | None
    primary_share: Tensor
    temperature: Tensor
    columns: Tensor

    def __init__(
        self,
        standardize: Standardize,
        trunk: nn.Module,
        n_features: int,
        n_outputs: int,
        hierarchy: Hierarchy | None,
        numbers: bool = False,
        both_heads: bool = False,
    ):
        super().__init__(standardize, trunk, n_features)
        self.members, self.numbers = n_members(trunk), numbers
        self.hierarchy = hierarchy
        self.views = None if hierarchy is None else hierarchy.views
        self.primary_head = make_head(trunk, n_features, n_outputs)
        self.auxiliary_head = None
        mask = None
        if hierarchy is not None:
            self.auxiliary_head = make_head(trunk, n_features, hierarchy.n_labels)
            mask = torch.as_tensor(hierarchy.mask)
        self.register_buffer("mask", mask)
        self.register_buffer("temperature", torch.ones(()))
        self.both_heads = hierarchy is not None and (both_heads or self.views is not None)
        if hierarchy is not None and self.both_heads:
            self.register_buffer("primary_share", torch.tensor(0.5))
            # Made here, because torch.export can't follow NumPy; no buffer, because psi says it.
            self.columns = torch.from_numpy(hierarchy.columns)

    def outputs(self, z: Tensor, view: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Both outputs for prepared samples, and views of them if there are any."""
        if view is None:
            own = seen = self.features(z)
        else:
            # In one pass: batch normalisation is to see what it will see at prediction time.
            features, n = self.features(torch.cat([z, view])), z.shape[0]  # a trace fixes len(z)
            own, seen = features[..., :n, :], features[..., n:, :]
        auxiliary = None if self.auxiliary_head is None else self.auxiliary_head(seen)
        return self.primary_head(own), auxiliary

    def forward(self, x: Tensor, view: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        return self.outputs(self.prepare(x), None if view is None else self.prepare(view))

    def primary(self, x: Tensor) -> Tensor:
        """Primary outputs alone, shape (n, n_outputs)."""
        return self.primary_of(self.prepare(x))

    def primary_of(self, z: Tensor) -> Tensor:
        """The same for prepared samples."""
        return self.together(self.primary_head(self.features(z)))

    def prediction(self, x: Tensor) -> Tensor:
        """What inference needs: primary outputs, or what both heads say together.

        Until the auxiliary head knows the classes, the primary head has a share in the
        log-probabilities.
        """
        if not self.both_heads:
            return self.primary(x) / self.temperature
        seen = self._features_of_views(self.prepare(x))
        own = torch.log_softmax(self.together(self.primary_head(seen[0])), dim=1)
        # A share of 0 is no special case: what is exported can't branch on the value of a tensor.
        together = torch.lerp(self._joint(seen), own, self.primary_share.to(own))
        return together / self.temperature

    def together(self, outputs: Tensor) -> Tensor:
        """What members say together, (n, ...); that of a single network stays as it is."""
        return (mean_number if self.numbers else mean_log_probability)(outputs, self.members)

    def joint(self, x: Tensor) -> Tensor:
        """Logits of the classes, shape (n, C): the mean over the views of log p(class | view).

        That probability is the mass of the class's block among the blocks of the view.
        """
        return self.joint_of(self.prepare(x))

    def joint_of(self, z: Tensor) -> Tensor:
        """The same for prepared samples."""
        return self._joint(self._features_of_views(z))

    def _features_of_views(self, z: Tensor) -> list[Tensor]:
        return [self.features(seen) for seen in ([z] if self.views is None else self.views.all(z))]

    def _joint(self, seen: list[Tensor]) -> Tensor:
        assert self.auxiliary_head is not None
        columns = self.columns.to(seen[0].device)
        logits = (
            block_sums(self.auxiliary_head(features), columns[:, v])
            for v, features in enumerate(seen)
        )
        return torch.stack([torch.log_softmax(self.together(one), dim=1) for one in logits]).mean(0)

    def labels_at(self, blocks: Tensor, positions: Tensor | None) -> Tensor:
        """Labels that nothing generates: one-hot at a position of each sample's block, or even.

        Parameters
        ----------
        blocks : Tensor of shape (n,)
        positions : Tensor of shape (n,) or None
            None spreads the mass of a label evenly over its block.
        """
        assert self.mask is not None
        block = self.mask[blocks]
        if positions is None:
            return block / block.sum(1, keepdim=True)
        label = block.int().argmax(1) + positions
        return torch.zeros_like(block, dtype=torch.float32).scatter_(1, label.unsqueeze(1), 1.0)

    def auxiliary(self, x: Tensor) -> Tensor:
        """Auxiliary probabilities of the samples as they are, shape (n, sum psi)."""
        assert self.hierarchy is not None
        logits = self._auxiliary_logits(self.prepare(x))[..., self.hierarchy.own_columns]
        return torch.softmax(mean_log_probability(logits, self.members), dim=1)

    def _auxiliary_logits(self, z: Tensor) -> Tensor:
        assert self.auxiliary_head is not None
        return self.auxiliary_head(self.features(z))


def block_sums(logits: Tensor, columns: Tensor) -> Tensor:
    """Logarithm of the summed exponentials of the `columns` (m, size) of each block, (..., m).

    The number K stands for no column.
    """
    padded = F.pad(logits, (0, 1), value=-torch.inf)
    return padded[..., columns].logsumexp(-1)


def make_multi_task_net(
    frame: Frame,
    n_outputs: int,
    hierarchy: Hierarchy | None,
    numbers: bool = False,
    both_heads: bool = False,
) -> MultiTaskNet:
    """The multi-task network with fresh weights, on the CPU; `numbers` are what it predicts."""
    return MultiTaskNet(*frame.make(), n_outputs, hierarchy, numbers, both_heads)
