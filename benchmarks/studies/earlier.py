"""Defaults of the time before the evidence chose others; what was measured then keeps them."""

EARLIER_RATES = {"lr": 0.001, "schedule": "constant", "optimizer": "adam"}
EARLIER = {**EARLIER_RATES, "views": None}
EARLIER_ON_TABLES = {**EARLIER, "backbone": "mlp"}
