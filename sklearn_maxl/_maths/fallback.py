"""The chosen meta-gradient, or the one that works with the backbone at hand."""

import warnings

from torch import Tensor

from .meta_gradient import (
    META_GRADIENTS,
    ForwardModeError,
    MetaProblem,
    check_forward_mode,
    double_backward,
    exact,
)


class Dependable:
    """A meta-gradient that tries forward mode out first, and does without where it has to.

    Parameters
    ----------
    name : str
        A key of `META_GRADIENTS`.
    """

    def __init__(self, name: str):
        self.name = name
        self.function = META_GRADIENTS[name]
        self.checked = False

    def __call__(self, problem: MetaProblem) -> tuple[Tensor, Tensor]:
        try:
            if self.function is exact and not self.checked:
                check_forward_mode(problem)
                self.checked = True
            return self.function(problem)
        except ForwardModeError as error:
            warnings.warn(
                f"The backbone uses {error.operator}, which forward mode can't differentiate; "
                "falling back to meta_gradient='double_backward' (same result, slower).",
                stacklevel=2,
            )
            self.function = double_backward
            return self(problem)
        except RuntimeError as error:
            if self.function is not double_backward or "not implemented" not in str(error):
                raise
            other = "exact" if self.name == "double_backward" else "finite_difference"
            raise ValueError(
                f"The backbone can't be differentiated twice ({error}); use "
                f"meta_gradient={other!r}."
            ) from error
