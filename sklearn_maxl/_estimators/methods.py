"""Names of methods, as messages about wrong arguments give them."""

import inspect
from typing import TypeVar

Class = TypeVar("Class", bound=type)


def without_class(cls: Class) -> Class:
    """Class decorator: Python's errors say "fit() got ...", not "Base.fit() got ...".

    It is for a private class that has public methods: its name tells a user nothing.
    """
    for name, member in vars(cls).items():
        # What stands behind a class method, behind `available_if`.
        function = getattr(member, "__func__", None) or getattr(member, "fn", None) or member
        while not name.startswith("_") and inspect.isfunction(function):
            function.__qualname__ = name
            function = getattr(function, "__wrapped__", None)  # behind scikit-learn's decorators
    return cls
