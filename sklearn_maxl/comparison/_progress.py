"""How far a comparison is, and about how long the rest takes."""

import time
from collections.abc import Callable, Iterator

from ._runs import Found, Outcome

FIRST, EVERY = 5.0, 30.0  # seconds until the first line, and between two


class Progress:
    """Counts searches and fits; as a string it is a line for the reader.

    The time left is judged by what the searches and fits themselves took, wherever they ran.
    That processes need a while to start is not taken for the pace.
    """

    def __init__(self, n_searches: int, n_fits: int, n_jobs: int):
        self.total = n_searches + n_fits
        self._jobs = n_jobs
        self._expected: dict[type, int] = {Found: n_searches, Outcome: n_fits}
        self._seconds: dict[type, list[float]] = {Found: [], Outcome: []}

    def count(self, done: Found | Outcome) -> None:
        """Something is done."""
        self._seconds[type(done)].append(done.seconds)

    def __str__(self) -> str:
        searches, fits = (
            f"{len(self._seconds[kind])} of {self._expected[kind]}" for kind in (Found, Outcome)
        )
        text = f"{searches} searches, " if self._expected[Found] else ""
        return f"{text}{fits} fits{self._time_left()}"

    def _time_left(self) -> str:
        """Such as ", about 3 min left"; nothing at the end, and until the pace is known."""
        seconds, missing = 0.0, 0
        for kind, known in self._seconds.items():
            left = self._expected[kind] - len(known)
            if left and not known:
                return ""
            missing += left
            seconds += left * sum(known) / max(len(known), 1)
        return f", about {duration(seconds / min(self._jobs, missing))} left" if missing else ""


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, as a person would say it."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def told(
    done: Iterator[Found | Outcome], progress: Progress, say: Callable[[str], object]
) -> Iterator[Found | Outcome]:
    """Pass on what is done, with a line now and then."""
    due = time.monotonic() + FIRST
    for one in done:
        if time.monotonic() >= due:
            say(str(progress))
            due = time.monotonic() + EVERY
        yield one
