"""
Grid search over images
=======================

Images of shape (n, channels, height, width) go straight into scikit-learn's
searches. This one asks two questions at once: does an auxiliary task pay, and how
wide should the network be? ``backbone__channels`` reaches into the backbone.

Run it with ``python examples/grid_search_images.py``; half a minute on two cores.
"""

from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet

if __name__ == "__main__":
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X.reshape(-1, 1, 8, 8), y, train_size=300, stratify=y, random_state=0
    )

    # %%
    # ``None`` is in the grid: the search may find that no auxiliary task is best.
    # ``views=None``, because 15 epochs are too few for the harder task that views make.
    search = GridSearchCV(
        MAXLClassifier(ConvNet(), batch_size=50, max_epochs=15, views=None, random_state=0),
        {
            "auxiliary": [None, "uniform", "maxl"],
            "backbone__channels": [(16, 32), (16, 32, 64)],
        },
        cv=3,
    )
    with parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        search.fit(X_train, y_train)

    # %%
    # The standard deviation over the folds says how far to trust the order.
    results = search.cv_results_
    print(f"{'auxiliary':10} {'channels':14} accuracy")
    for i in results["rank_test_score"].argsort(kind="stable"):
        params = results["params"][i]
        print(
            f"{params['auxiliary']!s:10} {params['backbone__channels']!s:14} "
            f"{results['mean_test_score'][i]:.3f} (folds: +-{results['std_test_score'][i]:.3f})"
        )
    print(f"\nbest on {len(y_test)} images that the search did not see: ", end="")
    print(f"{search.score(X_test, y_test):.3f}")
