"""Defaults of the time before the evidence chose others; what was measured then keeps them."""

from typing import Any

from benchmarks.package import BatchRule
from sklearn_maxl.labels import Human, Labels, Learned

EARLIER_RATES = {"lr": 0.001, "schedule": "constant", "optimizer": "adam"}
EARLIER = {**EARLIER_RATES, "views": None, "temperature": 1.0}


def earlier_on_tables(n_samples: int) -> dict[str, Any]:
    """The same to classify so many rows of a table."""
    return {**EARLIER, "backbone": "mlp", "batch_size": BatchRule().size(n_samples)}


def labels_of(arm: str | None) -> str | Labels | None:
    """What `auxiliary` is for an arm.

    Labels that are learned, are so in every step; the primary head predicts, whatever the labels.
    """
    return {"maxl": Learned(every=1), "human": Human(predicts=False)}.get(str(arm), arm)
