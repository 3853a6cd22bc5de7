"""A user's own network as a backbone."""

import inspect
from collections.abc import Callable

from sklearn.base import BaseEstimator
from torch import nn


class Custom(BaseEstimator):
    """Your own network as a backbone: ``module_class(**kwargs)`` is built anew in every fit.

    Parameters
    ----------
    module_class : callable returning torch.nn.Module
        Class or function of a network that maps (n, \\*input_shape) to
        (n, n_features). If it has a parameter ``input_shape``, it is given the
        shape of one sample. Its inputs are standardised, unless the network has an
        attribute ``raw_inputs = True``, as one for whole numbers needs it
        (``nn.Embedding``). Define it in a module, not in a notebook cell or as a lambda, if
        the classifier is to be pickled.
    **kwargs : dict
        Its arguments. Those of its signature are parameters of this object, so
        that a grid search reaches them: ``backbone__width``.

    Examples
    --------
    >>> from torch import nn
    >>> from sklearn_maxl.backbones import Custom
    >>> spec = Custom(nn.Linear, in_features=4, out_features=3)
    >>> spec.set_params(out_features=8).build((4,))
    Linear(in_features=4, out_features=8, bias=True)
    """

    def __init__(self, module_class: Callable[..., nn.Module], **kwargs: object):
        self.module_class = module_class
        self.__dict__.update(kwargs)

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Get the module's class and all its arguments, defaults included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of arguments that have some.

        Returns
        -------
        dict
            Values by name.
        """
        parameters = inspect.signature(self.module_class).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        params = {**defaults, **vars(self)}
        if deep:
            for name, value in list(params.items()):
                if hasattr(value, "get_params") and not isinstance(value, type):
                    nested = value.get_params().items()
                    params.update({f"{name}__{key}": inner for key, inner in nested})
        return params

    def set_params(self, **params: object) -> "Custom":
        """Set arguments of the module, whether they were given before or not.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        Custom
            This object.
        """
        names = inspect.signature(self.module_class).parameters
        own = {name: value for name, value in params.items() if name in names}
        self.__dict__.update(own)
        super().set_params(**{n: value for n, value in params.items() if n not in own})
        return self

    def build(self, input_shape: tuple[int, ...]) -> nn.Module:
        """Make the network with fresh weights.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample; handed on if the module has a parameter of that name.

        Returns
        -------
        torch.nn.Module
            Maps (n, \\*input_shape) to (n, n_features).
        """
        kwargs = {name: value for name, value in vars(self).items() if name != "module_class"}
        if "input_shape" in inspect.signature(self.module_class).parameters:
            kwargs.setdefault("input_shape", input_shape)
        return self.module_class(**kwargs)
