"""Numbers as people write them."""


def number(value: str | float, digits: int = 3) -> str:
    """A number with a few digits, never in powers of ten."""
    if value == "":
        return ""
    value = float(value)
    if value == 0 or abs(value) >= 10**digits:
        return f"{value:,.0f}"
    return f"{float(f'{value:.{digits}g}'):.12f}".rstrip("0").rstrip(".")


def time_of(seconds: str) -> str:
    """Seconds in the unit in which they read well."""
    value = float(seconds)
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if value * factor >= 1:
            return f"{number(value * factor)} {unit}"
    return f"{number(value * 1e6)} µs"
