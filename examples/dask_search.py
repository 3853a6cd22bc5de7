"""
A grid search on several machines
=================================

scikit-learn's searches, and ``compare``, hand their fits to joblib, and joblib hands them to
`Dask <https://distributed.dask.org>`_ within a block. This starts two workers on this machine, or
uses those of a scheduler that runs already::

    pip install distributed
    python examples/dask_search.py
    python examples/dask_search.py --scheduler tcp://192.168.1.10:8786

It needs distributed, which is not among the package's dependencies, so it is not run when these
pages are built. :doc:`More than one machine </more_than_one_machine>` says how to start a scheduler
and workers, and what to know.
"""

import argparse

from distributed import Client, LocalCluster
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from toolz import identity

from sklearn_maxl import MAXLClassifier

# %%
# A client for workers that may be killed
# ---------------------------------------
# Dask makes lost results again, but not data that were only put on a worker, and that is how
# joblib sends arrays: if the worker that holds them is killed, the search ends with an error. Here
# they are results of a task instead.


class ResendingClient(Client):
    """A client that sends arrays anew if the worker that holds them is lost."""

    def scatter(self, data, asynchronous=False, **options):
        if not asynchronous:
            return super().scatter(data, **options)

        async def send():
            return self.submit(identity, data, pure=False)

        return send()


# %%
# The search
# ----------
# Without the block it gives the same scores, bit for bit.


def search(client: Client) -> GridSearchCV:
    """Fits of all workers, and the best setting again in this process."""
    X, y = load_digits(return_X_y=True)
    clf = MAXLClassifier(backbone="mlp", max_epochs=10, temperature=1, random_state=0)
    client.wait_for_workers(2)
    with parallel_config("dask", client=client):
        return GridSearchCV(clf, {"psi": [2, 5, 10]}, cv=3).fit(X[:300], y[:300])


def main() -> None:
    """Search on the workers of a scheduler, or on two of this machine."""
    parser = argparse.ArgumentParser(description="A grid search on Dask's workers.")
    parser.add_argument("--scheduler", help="address; without it, two workers start here")
    address = parser.parse_args().scheduler
    if address is None:
        workers = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
        with LocalCluster(**workers) as cluster:
            show(cluster.scheduler_address)
    else:
        show(address)


def show(address: str) -> None:
    """What was found."""
    with ResendingClient(address) as client:
        found = search(client)
    for params, score in zip(
        found.cv_results_["params"], found.cv_results_["mean_test_score"], strict=True
    ):
        print(f"{params}: accuracy {score:.3f}")


if __name__ == "__main__":
    main()
