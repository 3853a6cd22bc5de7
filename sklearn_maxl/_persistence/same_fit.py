"""Whether all ranks have been called with the same fit: else they would train nonsense together."""

from collections import Counter

from .._environment.ranks import Ranks
from .._training.call import Call
from .._training.logbook import keeper_among
from .._training.net import MAXLNet
from .fingerprint import as_text, fingerprint, surroundings
from .json_values import Plain


def common_seed(ranks: Ranks, call: Call, net: MAXLNet | None = None) -> int:
    """The seed of rank 0, where all ranks have the same fit; their `net` is what it goes on from.

    Raises
    ------
    ValueError
        On every rank, and names one whose data or parameters are not those of most.
    """
    if not ranks.several:
        return call.seed
    around = surroundings(call.settings)
    parts: Plain = {
        **fingerprint(call),
        **{f"{name} (its version or kind)": v for name, v in around.items()},
        "callbacks.Checkpoint": str(keeper_among(call.settings.callbacks) is not None),
        "what was fitted before": "" if net is None else as_text([*map(as_text, net.networks())]),
    }
    told = ranks.gathered((parts, call.seed))
    check_same([theirs for theirs, _ in told])
    return told[0][1]


def check_same(parts: list[Plain]) -> None:
    """Refuse to begin where a rank's parts are not those of most; of two ranks, the second's."""
    texts = [as_text(own) for own in parts]
    usual = parts[texts.index(Counter(texts).most_common(1)[0][0])]
    for number, own in enumerate(parts):
        differ = [name for name in {**usual, **own} if own.get(name) != usual.get(name)]
        if differ:
            other = "the other ranks" if len(parts) > 2 else "rank 0"
            raise ValueError(
                f"Rank {number} of {len(parts)} sees other values than {other} for "
                f"{', '.join(differ)}; a process group trains one network, so call fit with the "
                "same data and parameters on every rank, or make fits of a rank's own before "
                "init_process_group."
            )
