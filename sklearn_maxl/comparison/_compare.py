"""Does an auxiliary task help on your data? Arms side by side, on the same folds and seeds."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit
from sklearn.utils import check_random_state, indexable

from .._training.log import show_log
from . import _figures, _html, _text
from ._arms import DEFAULT_ARMS, check_baselines, resolve_arms, resolve_reference
from ._paired_runs import Done, Track, run_all
from ._progress import Progress, told
from ._runs import Experiment
from ._scoring import Score, Scorer
from ._splits import make_splits
from ._summary import Summary

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Comparison", "compare"]

logger = logging.getLogger("sklearn_maxl")


def compare(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    *,
    cv: int | BaseCrossValidator | BaseShuffleSplit | Iterable[tuple[ArrayLike, ArrayLike]] = 5,
    arms: Sequence[str | None] | Mapping[Any, Mapping[str, object]] = DEFAULT_ARMS,
    reference: object = None,
    n_seeds: int = 2,
    scoring: str | Scorer | None = None,
    groups: ArrayLike | None = None,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = 0,
    verbose: int = 0,
    baselines: Mapping[str, BaseEstimator] | None = None,
) -> "Comparison":
    """Compare arms, by `auxiliary` or other parameters, in repeated cross-validation.

    Every arm is trained on the same folds with the same seeds, so that the differences
    between arms are *paired*: what a split does to all of them drops out. Nothing is
    chosen by the scores, so the scores are honest; but if you then keep the best of many
    arms, its own score is too high.

    Parameters
    ----------
    estimator : MAXLClassifier, MAXLRegressor or a Pipeline
        What to train; an estimator that holds one of the two, such as a pipeline. It is
        cloned, and never changed. All its parameters named ``random_state`` are set.
    X : array-like or data frame
        Samples, as `estimator` takes them: tables, data frames for a pipeline, images.
    y : array-like of shape (n,), or (n, m) in regression
        Classes, or numbers to predict.
    cv : int, splitter or iterable, default=5
        Number of shuffled folds, stratified for classes; or a splitter, or a list of
        (train, test). Splitters that take a `random_state` get another one for every
        seed. The others give the same folds to all seeds: their scores are then averaged
        over the seeds before they are tested.
    arms : sequence of str or None, or dict, default=("maxl", "uniform", "kmeans", \
            "random", None)
        Settings of `auxiliary`; or names with the parameters that they set,
        ``{"5": {"psi": 5}, "10": {"psi": 10}}``, those of the MAXL estimator itself or,
        with their full names, of the whole pipeline.
    reference : object, default=None
        Name of the arm that the others are compared to; None is the single task.
    n_seeds : int, default=2
        Repetitions, with other folds and other initial weights. More than a few gain
        little, because all of them reuse the same samples: with 5 folds the error of a
        difference falls by 12 % from one seed to two, and by 25 % for infinitely many.
    scoring : str, callable or None, default=None
        One score, as in scikit-learn; higher is better. None is the estimator's own:
        accuracy, or R2.
    groups : array-like of shape (n,), default=None
        Samples of one group are not split between training and test.
    n_jobs : int or None, default=None
        Fits at a time, in processes of one torch thread each.
    random_state : int, RandomState instance or None, default=0
        Seed of folds and fits.
    verbose : int, default=0
        With 1, the logger "sklearn_maxl" is told how far it is and how long the rest takes,
        every half minute at most; with 2, every fit.
    baselines : dict of str to estimator, default=None
        Other estimators, by the names that the table gives them, such as a forest: trained
        and scored on the same folds. They are no arms: they are not tested, and the verdict only
        tells of one that scores higher than all arms. None is none.

    Returns
    -------
    Comparison
        Scores, table, verdict and figure. ``print`` shows them.

    Raises
    ------
    ValueError
        If a parameter can't be used, if a fit fails, or if the score fails or is no number.
    KeyboardInterrupt
        If it is interrupted: no training that was cut off is scored.

    Warns
    -----
    UserWarning
        What fits warned of, once for each arm, and if a class is tested that was not trained.

    See Also
    --------
    sklearn.model_selection.cross_val_score : Scores of one estimator.

    Notes
    -----
    If a fit looks for its number of epochs and its temperature, arms that differ in their
    auxiliary task alone would find the same. So `compare` looks once in every split, and gives
    all of them what was found. The scores are the same to the bit as if each had
    looked for itself. This holds for an estimator and for a pipeline that ends with it. Inside
    another object, such as `CalibratedClassifierCV` or `GridSearchCV`, every fit looks for
    itself.

    Scores of a cross-validation are not independent, because training sets overlap.
    Errors and tests are corrected for that [1]_: the variance of single differences is
    multiplied by ``1/J + n_test/n_train`` instead of ``1/J``, where J is the number of
    seeds times folds, and t has J - 1 degrees of freedom. P-values are corrected for the
    number of arms by Holm's method.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio. "Inference for the Generalization Error". Machine
       Learning 52, 239-281, 2003.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_maxl import MAXLClassifier
    >>> from sklearn_maxl.comparison import compare
    >>> X, y = load_iris(return_X_y=True)
    >>> found = compare(MAXLClassifier(max_epochs=3), X, y, cv=2, arms=("uniform", None))
    >>> found.scores_.shape  # arms, seeds, folds
    (2, 2, 2)
    >>> print(found)  # doctest: +SKIP
    >>> found.to_html("report.html")  # doctest: +SKIP
    """

    track = _by_log(verbose)
    return tracked_compare(
        estimator, X, y, cv, arms, reference, n_seeds, scoring, groups, n_jobs, random_state, track,
        baselines,
    )  # fmt: skip


def tracked_compare(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    cv: object,
    arms: object,
    reference: object,
    n_seeds: int,
    scoring: str | Scorer | None,
    groups: ArrayLike | None,
    n_jobs: int | None,
    random_state: int | np.random.RandomState | None,
    track: Track,
    baselines: Mapping[str, BaseEstimator] | None = None,
) -> "Comparison":
    """`compare`, with a function that the results pass through one by one."""
    resolved = resolve_arms(estimator, arms)
    reference = resolve_reference(resolved, reference)
    score = Score.resolve(estimator, scoring)
    others = check_baselines(baselines, resolved)
    _check_n_jobs(n_jobs)
    X, y, groups = indexable(X, y, groups)
    rng = np.random.RandomState() if random_state is None else check_random_state(random_state)
    seeds, independent = make_splits(estimator, X, y, cv, n_seeds, groups, rng)
    results = run_all(Experiment(estimator, X, y, resolved, score, others), seeds, n_jobs, track)
    n_arms = len(resolved)
    return Comparison(
        arms_=list(resolved),
        params_=list(resolved.values()),
        reference_=reference,
        scoring_=score.name,
        scores_=results.scores[:n_arms],
        seconds_=results.seconds[:n_arms],
        n_train_=np.array([[len(split.train) for split in splits] for splits in seeds]),
        n_test_=np.array([[len(split.test) for split in splits] for splits in seeds]),
        training_seeds_=np.array([[split.training_seed for split in splits] for splits in seeds]),
        folds_change_=independent,
        search_seconds_=results.search_seconds[:n_arms],
        baselines_=list(others),
        baseline_scores_=results.scores[n_arms:],
        baseline_seconds_=results.seconds[n_arms:],
    )


def _check_n_jobs(n_jobs: object) -> None:
    if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral)):
        raise ValueError(f"n_jobs must be an int or None, got {n_jobs!r}.")
    if n_jobs == 0:
        raise ValueError("n_jobs must be a number of processes, or -1 for all cores, got 0.")


def _by_log(verbose: int) -> Track:
    """What tells the logger how far a comparison is."""

    def track(done: Iterator[Done], progress: Progress) -> Iterator[Done]:
        if not verbose:
            yield from done
            return
        show_log(verbose)
        logger.info("%s", str(progress))
        if verbose == 1:
            yield from told(done, progress, lambda text: logger.info("%s", text))
            return
        for one in done:
            logger.info("%s; %s", str(one), str(progress))
            yield one

    return track


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What `compare` found. ``print`` shows a table, a notebook the same in HTML.

    `compare` makes it; its parameters are its attributes.

    Parameters
    ----------
    arms_ : list
        Names of the arms; None is the single task.
    params_ : list of dict
        What each arm sets.
    reference_ : object
        Name of the arm that the others are compared to.
    scoring_ : str
        Name of the score.
    scores_ : ndarray of shape (n_arms, n_seeds, n_folds)
        Scores on the test folds. ``scores_[:, i, j]`` belong to the same split and seed.
    seconds_ : ndarray of shape (n_arms, n_seeds, n_folds)
        Duration of each fit, without the search for a learning rate in `search_seconds_`.
    n_train_ : ndarray of shape (n_seeds, n_folds)
        Training samples of each split.
    n_test_ : ndarray of shape (n_seeds, n_folds)
        Test samples of each split.
    training_seeds_ : ndarray of shape (n_seeds, n_folds)
        The `random_state` of each fit; the same in all arms.
    folds_change_ : bool, default=True
        Whether another seed gives other folds. If not, scores are averaged over the
        seeds before they are tested.
    search_seconds_ : ndarray of shape (n_arms, n_seeds, n_folds), or float, default=0.0
        Duration of the search for the learning rate that each fit was given. Arms that
        share a search have the same number; 0 where `compare` made no search.
    baselines_ : list of str, default=()
        Names of the baselines.
    baseline_scores_, baseline_seconds_ : ndarray of shape (n_baselines, n_seeds, n_folds) or None
        The same as of the arms. None without any baseline.

    See Also
    --------
    compare : Makes one.
    """

    arms_: list[object]
    params_: list[dict[str, object]]
    reference_: object
    scoring_: str
    scores_: NDArray[np.float64]
    seconds_: NDArray[np.float64]
    n_train_: NDArray[np.int64]
    n_test_: NDArray[np.int64]
    training_seeds_: NDArray[np.int64]
    folds_change_: bool = True
    search_seconds_: NDArray[np.float64] | float = 0.0
    baselines_: Sequence[str] = ()
    baseline_scores_: NDArray[np.float64] | None = None
    baseline_seconds_: NDArray[np.float64] | None = None

    def table(self) -> "pd.DataFrame | dict[str, list[object]]":
        """One row for each arm, the reference first, and for each baseline.

        Returns
        -------
        pandas.DataFrame, or dict of lists without pandas
            Columns: ``arm``; mean ``score`` and its ``score_error``; ``difference`` to the
            reference with ``difference_error``, 95 % interval ``low`` to ``high``, ``p`` of
            the corrected t-test and ``p_holm``, corrected for the number of arms as well;
            ``seconds`` of a fit (median), without ``search_seconds``, what the search for
            its learning rate took (median); splits that an arm ``wins``, ``ties`` and
            ``losses`` against the reference. In the units of the score. Baselines have no
            ``p`` and ``p_holm``.
        """
        records = [row.record() for row in (*self._summary.rows, *self._summary.baselines)]
        columns = {name: [record[name] for record in records] for name in records[0]}
        try:
            import pandas as pd
        except ImportError:
            return columns
        frame = pd.DataFrame(columns)
        counts = ["wins", "ties", "losses"]
        frame[counts] = frame[counts].astype("Int64")  # the reference has none
        return frame

    @property
    def verdict(self) -> str:
        """What follows, in a sentence or two; a difference counts if Holm's p < 0.05."""
        return _text.verdict(self._summary)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the differences to the reference, split by split, with 95 % intervals.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        matplotlib Axes
            What was drawn on.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return _figures.draw_differences(self._summary, ax)

    def to_html(self, path: str | Path | None = None, title: str = "Comparison of arms") -> str:
        """One page with table, verdict and figures that needs no other file.

        Parameters
        ----------
        path : str or path-like, default=None
            File to write; None writes none.
        title : str, default="Comparison of arms"
            Heading of the page.

        Returns
        -------
        str
            The page.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        page = self._page(title)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def _page(self, title: str, facts: Iterable[tuple[str, str]] = ()) -> str:
        facts = [*facts, ("Splits", self._summary.design)]
        return _html.page(title, self._summary, _figures.figures(self._summary), facts)

    def __repr__(self) -> str:
        return _text.report(self._summary)

    def _repr_html_(self) -> str:
        return _html.fragment(self._summary)

    @cached_property
    def _summary(self) -> Summary:
        return Summary.of(self)
