"""The loop that the docs show, against the estimator's own fit: the same bits."""

import copy
from pathlib import Path

import pytest
import scripts
import torch
from skorch.callbacks import Callback
from torch import nn

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.labels import Learned
from sklearn_maxl.optimizers import SGD, Adam, AdamW

FILE = Path(__file__).parent.parent / "examples" / "method_on_one_page.py"


@pytest.fixture(scope="module")
def page():
    return scripts.load(FILE)


class Recorder(Callback):
    """What a fit starts with, and the batches that it sees."""

    def on_train_begin(self, net, **kwargs):
        self.networks = copy.deepcopy((net.module_, net.generator_))
        self.batches = []

    def on_batch_begin(self, net, batch=None, **kwargs):
        self.batches.append((batch.x.clone(), batch.y.clone()))


class Prepared(nn.Module):
    """A network of the package as the page's loop calls it: its samples are standardised."""

    def __init__(self, network, method):
        super().__init__()
        self.network, self.method = network, method

    def forward(self, *inputs):
        return getattr(self.network, self.method)(*inputs)


@pytest.mark.parametrize(
    ("optimizer", "generator_optimizer"),
    [(Adam(), Adam()), (SGD(momentum=0.9), SGD(weight_decay=5e-4)), (AdamW(0.1), Adam())],
    ids=["adam", "sgd", "adamw"],
)
def test_the_loop_on_the_page_is_the_estimators_fit_to_the_bit(
    page, images, optimizer, generator_optimizer
):
    X, y = images
    recorder = Recorder()
    clf = MAXLClassifier(
        backbone="mlp",
        auxiliary=Learned(every=1, optimizer=generator_optimizer, entropy_weight=0.3),
        optimizer=optimizer,
        lr=0.02,
        label_smoothing=0.0,
        schedule="constant",
        max_epochs=3,
        callbacks=[("recorder", recorder)],
        random_state=0,
        n_threads=1,
    ).fit(X.reshape(len(X), -1).astype(float), y)
    seen = dict(clf.net_.callbacks_)["recorder"]
    network, generator = seen.networks
    network.train()
    generator.train()

    class OfLabels(Prepared):
        def forward(self, x, y):
            return self.network.task(x, y)[0]

    page.train(
        Prepared(network, "outputs"),
        OfLabels(generator, "task"),
        seen.batches,
        optimizer(network.parameters(), lr=0.02),
        generator_optimizer(generator.parameters(), lr=0.001),
        entropy_weight=0.3,
    )
    for mine, theirs in ((network, clf.net_.module_), (generator, clf.net_.generator_)):
        assert all(torch.equal(v, theirs.state_dict()[n]) for n, v in mine.state_dict().items())


def test_the_page_runs_and_prints_both_accuracies(page, capsys, monkeypatch):
    monkeypatch.setattr(page, "EPOCHS", 1)
    page.main()
    assert capsys.readouterr().out.count("test accuracy") == 2
