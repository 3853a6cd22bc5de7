"""Several networks in one, which share their weight matrices: members of an ensemble."""

import math
from collections.abc import Sequence

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn
from torch.nn import functional as F

from ._checks import flag, positive_int, positive_ints, probability
from ._dropout import mask_like
from ._mlp import MLP
from ._periodic import Periodic


class Members(BaseEstimator):
    """Fully connected networks that share weights, trained at once and averaged, for tables.

    Each of the `n_members` networks has all layers of an :class:`MLP`. The members share the
    weight matrix of each layer. Each member has its own factors for the inputs and outputs of
    the first layer [1]_, its own biases and its own heads. All members see the same samples.
    They are trained by the mean of their losses, and predict the mean of their probabilities,
    or of their numbers. So an ensemble costs little more memory than one network. On tables it
    was more accurate than one, with better probabilities [2]_, and it is ``backbone="auto"``
    there (``python -m benchmarks.studies.defaults_of_tables``).

    The label generator and ``auxiliary="kmeans"`` train a single network with the same layers.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(128, 128)
        Width of each hidden layer; the last one is a member's number of features.
    n_members : int, default=8
        Number of networks. Time and the features of ``transform`` grow with it.
    dropout : float, default=0.3
        Probability with which a hidden unit is dropped in training, in all members at once.
    periodic : bool, default=False
        Whether the first layer gets a sum of learned waves of each number beside the number
        itself [3]_, the same for all members. So it can learn thresholds, as decision trees have
        them. The classes of a few hundred rows don't show where those are, so there are no
        waves by default.

    References
    ----------
    .. [1] Y. Wen, D. Tran, J. Ba. "BatchEnsemble: an Alternative Approach to Efficient Ensemble
       and Lifelong Learning". ICLR 2020. arXiv:2002.06715.
    .. [2] Y. Gorishniy, A. Kotelnikov, A. Babenko. "TabM: Advancing Tabular Deep Learning with
       Parameter-Efficient Ensembling". ICLR 2025. arXiv:2410.24210.
    .. [3] D. Holzmüller, L. Grinsztajn, I. Steinwart. "Better by Default: Strong Pre-Tuned MLPs
       and Boosted Trees on Tabular Data". NeurIPS 2024. arXiv:2407.04491.

    Examples
    --------
    >>> import torch
    >>> from sklearn_maxl.backbones import Members
    >>> trunk = Members((64, 32), n_members=4).build((10,))
    >>> trunk(torch.zeros(7, 10)).shape  # members, samples, features
    torch.Size([4, 7, 32])
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (128, 128),
        n_members: int = 8,
        dropout: float = 0.3,
        periodic: bool = False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_members = n_members
        self.dropout = dropout
        self.periodic = periodic

    def fewer(self, n_members: int) -> "MLP | Members":
        """The same layers with at most so many members.

        Parameters
        ----------
        n_members : int
            1 is a single network.

        Returns
        -------
        MLP or Members
            An `MLP` for one, which has no axis of members and no waves.

        Examples
        --------
        >>> from sklearn_maxl.backbones import Members
        >>> Members((64,), n_members=8).fewer(2)
        Members(hidden_layer_sizes=(64,), n_members=2)
        >>> Members((64,), n_members=8).fewer(1)
        MLP(dropout=0.3, hidden_layer_sizes=(64,))
        """
        if n_members == 1:
            return MLP(self.hidden_layer_sizes, self.dropout)
        n_members = min(n_members, positive_int("n_members", self.n_members))
        return Members(self.hidden_layer_sizes, n_members, self.dropout, self.periodic)

    def build(self, input_shape: tuple[int, ...]) -> nn.Module:
        """Make the network with fresh weights.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample.

        Returns
        -------
        torch.nn.Module
            Maps (n, \\*input_shape) to (n_members, n, ``hidden_layer_sizes[-1]``).

        Raises
        ------
        ValueError
            If `hidden_layer_sizes` is not a sequence of positive integers, `n_members` no
            positive integer, `dropout` no number from 0 to 1, or `periodic` neither True nor False.
        """
        sizes = positive_ints("hidden_layer_sizes", self.hidden_layer_sizes)
        n_members = positive_int("n_members", self.n_members)
        dropout = probability("dropout", self.dropout)
        periodic = flag("periodic", self.periodic)
        return MemberTrunk(math.prod(input_shape), sizes, n_members, dropout, periodic)


class MemberTrunk(nn.Sequential):
    """The layers of `Members`; its features are (n_members, n, width)."""

    def __init__(
        self, width: int, sizes: list[int], n_members: int, dropout: float, periodic: bool
    ):
        layers: list[nn.Module] = []
        if periodic:
            layers.append(Periodic(width))
            width *= 2
        for i, size in enumerate(sizes):
            linear = SharedLinear if i else FirstLinear
            layers += [linear(width, size, n_members), nn.ReLU()]
            if dropout:
                layers.append(MemberDropout(dropout))
            width = size
        super().__init__(*layers)
        self.n_members = n_members

    def forward(self, x: Tensor) -> Tensor:
        """Features of samples of any shape."""
        z = x.flatten(1)
        for layer in self:
            z = layer(z)
        return z


class SharedLinear(nn.Module):
    """A layer of all members: ``x W + b``; ``W`` is the same for all."""

    def __init__(self, in_features: int, out_features: int, n_members: int):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.n_members = n_members
        bound = 1 / math.sqrt(in_features)
        self.weight = nn.Parameter(torch.empty(out_features, in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_members, 1, out_features).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """From (n_members, n, in_features) to (n_members, n, out_features)."""
        return F.linear(x, self.weight) + self.bias

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, n_members={self.n_members}"


class FirstLinear(SharedLinear):
    """The first layer of all members: ``(x * r) W``, times ``s``, plus ``b``.

    The factors ``r`` start as signs drawn at random, so that members differ from the start; ``s``
    starts as 1 (TabM, section 3.3). BatchEnsemble has factors in the other layers, too, where they
    cost more time than they are worth, as TabM's authors found (their "mini" variant).
    """

    def __init__(self, in_features: int, out_features: int, n_members: int):
        super().__init__(in_features, out_features, n_members)
        signs = torch.randint(2, (n_members, 1, in_features)) * 2 - 1
        self.r = nn.Parameter(signs.to(self.weight))
        self.s = nn.Parameter(torch.ones(n_members, 1, out_features))

    def forward(self, x: Tensor) -> Tensor:
        """From (n, in_features) to (n_members, n, out_features)."""
        return torch.addcmul(self.bias, F.linear(x * self.r, self.weight), self.s)


class MemberDropout(nn.Dropout):
    """Dropout with one mask for all members: what is random takes longer than all else."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop values in training, and scale up the others."""
        if not self.training:
            return x
        return x * mask_like(x[:1], self.p)
