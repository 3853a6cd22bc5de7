"""The losses of the method, as pure functions of tensors.

Letters follow the paper: ``p`` is the softmax of the logits, ``Y`` the soft
auxiliary labels, ``m`` their mean over a batch. Outputs may have an axis of members in front,
(members, n, ...); a loss is then the mean over them, too.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def focal_losses(logits: Tensor, gamma: float) -> Tensor:
    """Loss of every class if it were the target: ``-(1 - p)^gamma log p``.

    Parameters
    ----------
    logits : Tensor of shape (..., n, k)
    gamma : float
        0 is cross-entropy; the paper uses 2.

    Returns
    -------
    Tensor of shape (..., n, k)
        A soft target ``Y`` has the loss ``(Y * focal_losses(...)).sum(-1)``:
        linear in ``Y``, which is what makes the exact meta-gradient cheap.
    """
    log_p = F.log_softmax(logits, dim=-1)
    if gamma == 0:
        return -log_p
    # 1 - p; the floor keeps the derivative of the power finite where p is exactly 1.
    q = (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny)
    return -(q**gamma) * log_p


def primary_losses(logits: Tensor, y: Tensor, gamma: float, smoothing: float = 0.0) -> Tensor:
    """Loss of each sample, shape (..., n), for integer targets ``y`` of shape (n,).

    A share `smoothing` of each target is spread evenly over all classes (Szegedy et al.,
    CVPR 2016).
    """
    if logits.ndim > 2:
        return primary_losses(*flat(logits, y), gamma, smoothing).unflatten(0, logits.shape[:-1])
    if gamma == 0:  # one fused operation instead of a gather from (n, k)
        return F.cross_entropy(logits, y, reduction="none", label_smoothing=smoothing)
    losses = focal_losses(logits, gamma)
    own = losses.gather(1, y.unsqueeze(1)).squeeze(1)
    return own if smoothing == 0 else torch.lerp(own, losses.mean(1), smoothing)


def flat(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and targets of all members as if they were more samples."""
    if logits.ndim == 2:
        return logits, y
    return logits.flatten(0, -2), y.repeat(logits.shape[0])


def over_members(values: Tensor) -> Tensor:
    """The mean over members of values (n, k) of each; those of a single network as they are."""
    return values if values.ndim == 2 else values.mean(0)


def weighted_mean(losses: Tensor, weight: Tensor | None) -> Tensor:
    """``1/N sum_n weight_n losses_n``; the weights have mean 1 over the training set."""
    return losses.mean() if weight is None else (losses * weight).mean()


def classification_loss(
    logits: Tensor, y: Tensor, weight: Tensor | None, gamma: float, smoothing: float = 0.0
) -> Tensor:
    """``L_pri`` of classification: the weighted mean of `primary_losses`."""
    if gamma == 0 and weight is None and smoothing == 0:  # the common case, in one operation
        return F.cross_entropy(*flat(logits, y))
    return weighted_mean(primary_losses(logits, y, gamma, smoothing), weight)


REGRESSION_LOSSES: dict[str, Callable[..., Tensor]] = {
    "squared_error": F.mse_loss,
    "huber": F.huber_loss,
}


def regression_loss(outputs: Tensor, target: Tensor, weight: Tensor | None, name: str) -> Tensor:
    """``L_pri`` of regression, for targets of shape (n, m) in standard deviations.

    Huber's loss is quadratic up to an error of one standard deviation.
    """
    target = target.expand_as(outputs)  # of each member
    losses = REGRESSION_LOSSES[name](outputs, target, reduction="none")
    return weighted_mean(losses.mean(-1), weight)


def mean_label(Y: Tensor, weight: Tensor | None) -> Tensor:
    """``m``: the mean soft label of a batch, of shape (k,)."""
    return Y.mean(0) if weight is None else (Y * weight.unsqueeze(1)).mean(0) / weight.mean()


def mean_entropy(Y: Tensor, weight: Tensor | None) -> Tensor:
    """Mean entropy of the soft labels of a batch, by the same weights as `mean_label`."""
    h = entropies(Y)
    return h.mean() if weight is None else (h * weight).mean() / weight.mean()


def negative_entropy(m: Tensor) -> Tensor:
    """``H = sum_k m_k log m_k`` (paper, section 3.3): small when all auxiliary classes are used."""
    return torch.xlogy(m, m.clamp_min(torch.finfo(m.dtype).tiny)).sum()


def mutual_information(Y: Tensor, weight: Tensor | None) -> Tensor:
    """``I``: entropy of the mean label less the mean entropy of the labels, in nats.

    Never negative. Large when labels are both sharp and evenly used; the entropy term alone is
    content with labels that say nothing (Krause, Perona and Gomes, NeurIPS 2010,
    train a classifier without labels by it).
    """
    return -mean_entropy(Y, weight) - negative_entropy(mean_label(Y, weight))


def negative_information(Y: Tensor, weight: Tensor | None) -> Tensor:
    """``-I``, which falls as labels tell more about their samples."""
    return -mutual_information(Y, weight)


def collapse(Y: Tensor, weight: Tensor | None) -> Tensor:
    """``H`` of the mean label, which rises as auxiliary classes fall out of use."""
    return negative_entropy(mean_label(Y, weight))


# Terms that the label generator descends beside the meta loss, by the name of the parameter
# of `labels.Learned` that weighs them: (soft labels, weights of the samples) -> a number.
REGULARISERS: dict[str, Callable[[Tensor, Tensor | None], Tensor]] = {
    "entropy_weight": collapse,
    "information_weight": negative_information,
}


def entropies(Y: Tensor) -> Tensor:
    """Entropy of each row of ``Y`` in nats, of shape (n,)."""
    return -torch.xlogy(Y, Y.clamp_min(torch.finfo(Y.dtype).tiny)).sum(1)
