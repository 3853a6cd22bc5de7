"""Defaults of the time before the evidence chose others; what was measured then keeps them."""

from sklearn_maxl.labels import Labels, Learned

EARLIER_RATES = {"lr": 0.001, "schedule": "constant", "optimizer": "adam"}
EARLIER = {**EARLIER_RATES, "views": None}
EARLIER_ON_TABLES = {**EARLIER, "backbone": "mlp"}


def labels_of(arm: str | None) -> str | Labels | None:
    """What `auxiliary` is for an arm: labels that are learned, are so in every step."""
    return Learned(every=1) if arm == "maxl" else arm
