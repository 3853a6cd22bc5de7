"""A table as numbers, by scikit-learn's transformers."""

import warnings
from collections.abc import Hashable, Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.utils import Tags, check_array, check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

from ._columns import numbers, texts
from ._dates import DateParts
from ._kinds import CONSTANT, EMPTY, kinds_of


class TableEncoder(TransformerMixin, BaseEstimator):
    """Turn a table with text, dates and missing values into numbers without gaps.

    What a column holds is found out in `fit`, and everything is learned from the training
    rows only:

    - *Numbers*, truth values and spans of time (in days): the median where one is missing,
      and a further column that says where. Infinite numbers count as missing.
    - *Categories* and text: one column for each of the most frequent ones, a missing one is
      a category of its own, and rare ones share a column. A category that is new in
      `transform` is counted among the rare ones; if there are none, its columns are all 0.
    - *Dates*: days since the first date of the training rows, month (1 to 12), day of the
      week (Monday is 0) and hour (with fractions), if they differ within the training rows,
      and a column that says where a date is missing. Dates with a time zone are taken in
      UTC. Text has to be converted first, for instance with ``pandas.to_datetime``.

    Columns that nothing can be learned from are left out: `left_out_` says which and why.
    These are columns without values, or with one value only; text that differs in most
    rows; lists; and whole numbers that differ in all rows and are called an identifier
    ("id", "PassengerId") or number the rows.

    Parameters
    ----------
    max_categories : int, default=20
        Columns that a text column or a category becomes at most, the one of rare
        categories included.

    Attributes
    ----------
    column_transformer_ : ColumnTransformer
        The transformers that do the work.
    left_out_ : dict
        Name of each column that is left out, and the reason. Columns of arrays are
        called "x0", "x1" and so on.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen in `fit`, if all of them are text.

    See Also
    --------
    tabular_pipeline : This transformer with an estimator after it.
    sklearn.compose.ColumnTransformer : A transformer for each column, by hand.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_maxl.preprocessing import TableEncoder
    >>> X = pd.DataFrame({
    ...     "size": [1.5, np.nan, 2.5, 3.5],
    ...     "colour": ["red", "green", None, "red"],
    ...     "sold": pd.to_datetime(["2024-01-01", "2024-01-03", "2024-01-08", "2024-01-09"]),
    ...     "shop": ["A", "A", "A", "A"],
    ... })
    >>> encoder = TableEncoder().fit(X)
    >>> for name, values in zip(encoder.get_feature_names_out(), encoder.transform(X).T):
    ...     print(name, values)
    size [1.5 2.5 2.5 3.5]
    missingindicator_size [0. 1. 0. 0.]
    colour_green [0. 1. 0. 0.]
    colour_missing [0. 0. 1. 0.]
    colour_red [1. 0. 0. 1.]
    sold_days [0. 2. 7. 8.]
    sold_weekday [0. 2. 0. 1.]
    >>> encoder.left_out_
    {'shop': 'one value only'}
    """

    def __init__(self, max_categories: int = 20) -> None:
        self.max_categories = max_categories

    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Find out what the columns hold, and learn medians, categories and first dates.

        Parameters
        ----------
        X : data frame of pandas or polars, or array-like of shape (n, columns)
            Training rows.
        y : None
            Ignored.

        Returns
        -------
        TableEncoder
            Itself.

        Warns
        -----
        UserWarning
            If columns are left out that have more than one value.
        """
        check_scalar(self.max_categories, "max_categories", Integral, min_val=2)
        X = self._checked(X)
        if len(X) < 2:
            raise ValueError("X has n_samples=1; nothing can be learned from one row.")
        validate_data(self, X, reset=True, skip_check_array=True)
        kinds = kinds_of(X, self.max_categories)
        self.left_out_ = {name: reason for name, _, reason in kinds if reason}
        _tell(self.left_out_)
        if len(self.left_out_) == len(kinds):
            raise ValueError(f"X has no column to learn from: {_listed(self.left_out_)}.")
        places: dict[str, list[int]] = {}
        for place, (_, kind, reason) in enumerate(kinds):
            if not reason:
                places.setdefault(kind, []).append(place)
        self.column_transformer_ = transformers(steps_for(self.max_categories), places).fit(X)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Turn a table into numbers.

        Parameters
        ----------
        X : data frame of pandas or polars, or array-like of shape (n, columns)
            Rows with the columns of `fit`. A data frame may have them in another order,
            and others beside them.

        Returns
        -------
        ndarray of shape (n, n_features_out)
            Numbers without gaps.
        """
        check_is_fitted(self)
        return self.column_transformer_.transform(self._checked(X))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Get the names of the columns of `transform`.

        Parameters
        ----------
        input_features : array-like of str, default=None
            As in scikit-learn: names for the columns of an array.

        Returns
        -------
        ndarray of str
            Such as "size", "missingindicator_size", "colour_red", "sold_days".
        """
        check_is_fitted(self)
        return self.column_transformer_.get_feature_names_out(input_features)

    def _checked(self, X: Any) -> Any:
        """A data frame as it is, anything else as an array."""
        if hasattr(X, "iloc") or hasattr(X, "get_columns"):
            return X
        if isinstance(X, Sequence):  # NumPy would make text of numbers beside text
            X = np.array(X, dtype=object)
        return check_array(X, dtype=None, ensure_all_finite=False, estimator=self)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def tabular_pipeline(estimator: BaseEstimator) -> Pipeline:
    """Make a pipeline that takes tables as they are: text, dates and missing values.

    Parameters
    ----------
    estimator : estimator
        What is to learn from the table, such as a `MAXLClassifier`.

    Returns
    -------
    sklearn.pipeline.Pipeline
        A `TableEncoder`, then `estimator`.

    See Also
    --------
    TableEncoder : What the first step does, and to which columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.preprocessing import tabular_pipeline
    >>> X = pd.DataFrame({"size": 20 * [1.0, None, 3.0], "colour": 20 * ["red", "green", None]})
    >>> y = 20 * ["a", "b", "c"]
    >>> model = tabular_pipeline(MAXLClassifier(lr=0.01, max_epochs=20, random_state=0))
    >>> model.fit(X, y).predict(X[:3])
    array(['a', 'b', 'c'], dtype='<U1')
    """
    return make_pipeline(TableEncoder(), estimator)


def steps_for(max_categories: int) -> dict[str, Pipeline]:
    """What each kind of columns goes through, not fitted."""
    named = {"feature_names_out": "one-to-one"}
    return {
        "numbers": make_pipeline(
            FunctionTransformer(numbers, **named),
            SimpleImputer(strategy="median", add_indicator=True),
        ),
        "categories": make_pipeline(
            FunctionTransformer(texts, **named),
            SimpleImputer(strategy="constant", fill_value="missing"),
            OneHotEncoder(
                sparse_output=False,
                max_categories=max_categories,
                handle_unknown="infrequent_if_exist",
            ),
        ),
        "dates": make_pipeline(DateParts(), SimpleImputer(strategy="median")),
    }


def transformers(steps: dict[str, Any], places: dict[str, list[int]]) -> ColumnTransformer:
    """One for each kind of columns; `places` has the columns."""
    columns = ColumnTransformer(
        [(kind, step, places[kind]) for kind, step in steps.items() if kind in places],
        sparse_threshold=0,
        verbose_feature_names_out=False,
    )
    return columns.set_output(transform="default")  # the encoder makes data frames, if any


def _tell(left_out: dict[Hashable, str]) -> None:
    told = {name: why for name, why in left_out.items() if why not in (EMPTY, CONSTANT)}
    if told:
        warnings.warn(
            f"These columns are left out: {_listed(told)}. Turn them into numbers or categories "
            "if they matter, or drop them.",
            UserWarning,
            stacklevel=3,
        )


def _listed(left_out: dict[Hashable, str]) -> str:
    return "; ".join(f"{name!r} ({reason})" for name, reason in left_out.items())
