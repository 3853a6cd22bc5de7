"""Dates as numbers."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from ._columns import dates

PARTS = ("days", "month", "weekday", "hour", "missing")
DAY = np.timedelta64(1, "D")


class DateParts(TransformerMixin, BaseEstimator):
    """Days since the first date of the training data, month, day of the week, hour; missing or not.

    Of each column, those that differ within the training data. Of a missing date, all but the
    last are NaN.
    """

    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Note the first date of each column, and which parts differ."""
        times = dates(X)
        self.n_features_in_ = times.shape[1]
        self.first_ = np.fmin.reduce(times)
        parts = _parts(times, self.first_)
        self.used_ = np.fmax.reduce(parts) > np.fmin.reduce(parts)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return an array of shape (n, parts of all columns)."""
        return _parts(dates(X), self.first_)[:, self.used_]

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Return the column's name and the part's."""
        if input_features is None:
            input_features = [f"x{place}" for place in range(self.n_features_in_)]
        names = [[f"{name}_{part}" for part in PARTS] for name in np.asarray(input_features)]
        return np.array(names, dtype=object)[self.used_]


def _parts(times: NDArray[np.datetime64], first: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Array of shape (n, columns, parts)."""
    days = times.astype("datetime64[D]")
    months = times.astype("datetime64[M]").astype(np.int64) % 12 + 1
    weekdays = (days.astype(np.int64) + 3) % 7  # 1 January 1970 was a Thursday; Monday is 0
    hours = (times - days) / np.timedelta64(1, "h")
    missing = np.isnat(times)
    parts = np.stack([(times - first) / DAY, months, weekdays, hours, missing], axis=-1)
    parts[missing, :-1] = np.nan
    return parts
