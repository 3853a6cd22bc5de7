"""Time, operations and memory of everything that trains or predicts.

    python benchmarks/speed.py [section ...] [--device cpu|cuda] [--repetitions N] [--smoke]

Sections:

- ``arms``: the settings of `auxiliary`, and how often and how the labels are learned,
  for an epoch and for a whole fit;
- ``reference``: one epoch beside the paper's authors' two scripts (`_reference_steps.py`);
- ``single``: a fit with ``auxiliary=None`` beside a bare torch loop, skorch and
  scikit-learn's `MLPClassifier`, construction and checks of the input included;
- ``scaling``: samples, features, classes, size of a batch, width;
- ``predict``: `predict_proba` beside the bare network;
- ``import``: importing the package beside importing what it needs.

One process and one thread, where nothing else is said. The methods of a case take turns,
the first round warms up, and ratios are medians of the ratios within a round. Operations
are counted by `torch.utils.flop_counter`; peak memory is what the allocator reports (see
`_measure.py`). Writes results/speed.csv, where a section replaces its own rows only;
`speed_report.py` makes docs/speed.rst of it, with the goals.
"""

import argparse
import copy
import gc
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import skorch
import torch
from _measure import (
    Row,
    Seconds,
    interleaved,
    machine,
    operations,
    own_process,
    peak_memory,
    summarize,
    synchronize,
    threads,
    timed,
    write,
)
from _reference_steps import Reference
from sklearn.datasets import load_digits, make_classification
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._data.data import INFERENCE_VALUES
from sklearn_maxl.backbones import MLP, VGG16, ConvNet

RESULTS = Path(__file__).parent / "results" / "speed.csv"
N_CLASSES = 10


@dataclass(frozen=True)
class Run:
    """What the command line asks for."""

    device: str = "cpu"
    repetitions: int | None = None
    smoke: bool = False

    def size(self, cpu: Any, smoke: Any, cuda: Any = None) -> Any:
        """One of three sizes: a GPU needs more work to be measured at all."""
        if self.smoke:
            return smoke
        return cpu if self.device == "cpu" or cuda is None else cuda

    def time(self, methods: Mapping[Any, Seconds], usual: int) -> dict[Any, list[float]]:
        """Seconds of each method, in as many rounds as asked for or usual."""
        rounds = 1 if self.smoke else self.repetitions or usual
        return interleaved(methods, rounds, warm_up=not self.smoke)


@dataclass(frozen=True)
class Case:
    """A network and its data: random, because time does not depend on what is learned."""

    name: str
    backbone: Any
    shape: tuple[int, ...]
    samples: int
    batch_size: int
    n_classes: int = N_CLASSES
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that all methods of the case share."""

    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Samples, classes, and labels that are finer than the classes, five to each."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.samples, *self.shape), dtype=np.float32)
        y = np.arange(self.samples) % self.n_classes
        return X, y, 5 * y + rng.integers(5, size=self.samples)


class Estimator:
    """Our classifier with some settings, on a case: an epoch more, or a fit from the start."""

    def __init__(self, case: Case, device: str, **settings: Any):
        self.X, self.y, finer = case.data()
        self.labels = {"auxiliary_labels": finer} if settings.get("auxiliary") == "human" else {}
        # As before views and their rates, so that earlier rows stay comparable.
        earlier = {"views": None, "lr": 0.001, "optimizer": "adam"}
        self.clf = MAXLClassifier(
            case.backbone, batch_size=case.batch_size, max_epochs=1, **earlier
        )
        self.clf.set_params(device=device, random_state=0, **case.settings).set_params(**settings)

    def fit(self) -> "Estimator":
        """Fit from the start."""
        self.clf.fit(self.X, self.y, **self.labels)
        return self

    def more(self) -> None:
        """One epoch more."""
        self.clf.partial_fit(self.X, self.y, **self.labels)

    def epoch(self) -> float:
        """Seconds of one epoch more, as the history has them: without checks and copies.

        An epoch ends with its losses read from the device, so a GPU has then done its work.
        """
        synchronize(self.clf.device)
        self.more()
        return float(self.clf.history_[-1]["time"])


def compare_epochs(
    run: Run,
    section: str,
    case: Case,
    methods: Mapping[str, Mapping[str, Any]],
    base: str,
    rounds: int = 5,
) -> list[Row]:
    """Settings of the estimator on one case: time and operations of an epoch, memory of a fit."""
    fresh = {name: Estimator(case, run.device, **settings) for name, settings in methods.items()}
    # The memory first: it is that of fits from the start.
    peaks = {name: peak_memory(one.fit, run.device) for name, one in fresh.items()}
    counts = {name: operations(one.more) for name, one in fresh.items() if not compiled(one)}
    seconds = run.time({name: one.epoch for name, one in fresh.items()}, rounds)
    return summarize(section, run.device, case.name, base, seconds, case.samples, counts, peaks)


def compiled(one: Estimator) -> bool:
    """Whether kernels are compiled: their operations go unseen."""
    return bool(one.clf.get_params().get("compile"))


# Arms

ARMS: dict[str, dict[str, Any]] = {
    "None": {"auxiliary": None},
    "uniform": {"auxiliary": "uniform"},
    "random": {"auxiliary": "random"},
    "kmeans": {"auxiliary": "kmeans"},
    "human": {"auxiliary": "human"},
    "maxl": {"meta_every": 1},
    "maxl, meta_every=2": {"meta_every": 2},
    "maxl, meta_every=4": {"meta_every": 4},
    "maxl, meta_every=8": {"meta_every": 8},
    "maxl, alternation='epoch'": {"meta_every": 1, "alternation": "epoch"},
    "maxl, auxiliary_weight_range=3": {"meta_every": 1, "auxiliary_weight_range": 3.0},
    "maxl, gradient_similarity_every=1": {"meta_every": 1, "gradient_similarity_every": 1},
}

FITS = ("None", "uniform", "kmeans", "maxl")  # arms that are measured as whole fits too


LOWER = {
    f"{name}, precision='bfloat16'": {**ARMS[name], "precision": "bfloat16"}
    for name in ("None", "maxl")
}
COMPILED = {
    "None": ARMS["None"],
    "None, compile=True": {**ARMS["None"], "compile": True},
    "maxl": ARMS["maxl"],
    "maxl, compile=True": {**ARMS["maxl"], "compile": True},
}


def cases(run: Run) -> list[Case]:
    """The three networks on which methods are compared; on a GPU the whole VGG-16 too."""
    image, size = (3, 32, 32), run.size((512, 128), (8, 4), (4096, 128))
    convnet = ConvNet(width=run.size(1.0, 0.1))
    found = [
        Case("VGG-16 / 4, 32 x 32 x 3", VGG16(width=0.25), image, *size),
        Case(
            "ConvNet, 28 x 28 x 1", convnet, (1, 28, 28), *run.size((1024, 128), size, (16384, 128))
        ),
        Case("MLP, 64 features", MLP(), (64,), *run.size((8192, 128), (64, 32), (32768, 128))),
    ]
    if run.smoke:
        return found[1:]
    whole = Case("VGG-16, 32 x 32 x 3", VGG16(), image, *size)
    return found if run.device == "cpu" else [whole, *found]


def arms(run: Run) -> list[Row]:
    """Every arm for an epoch, some as a whole fit, and how fast the machine multiplies."""
    rows = matrix_products(run)
    for case in cases(run):
        # Eight steps: one of them is an update of the generator with meta_every=8.
        steps = run.size(8, 1)
        case = replace(case, samples=max(case.samples, steps * case.batch_size))
        rows += compare_epochs(run, "arms", case, {**ARMS, **LOWER}, "None")
        if case.name.startswith("VGG") and run.device == "cpu":
            continue  # 200 steps of an autoencoder of that size say nothing new
        rows += whole_fits(run, case)
        rows += compiled_epochs(run, case)
    return rows


def compiled_epochs(run: Run, case: Case) -> list[Row]:
    """Epochs of one long fit, without the first two, in which a step is compiled.

    Not interleaved: a program that torch has compiled belongs to its fit.
    """
    seconds = {}
    for name, settings in COMPILED.items():
        backend = settings.get("compile") and run.size(True, "eager")
        settings = {**settings, "max_epochs": 2 + run.size(8, 1), "compile": backend or False}
        one = Estimator(case, run.device, **settings)
        one.fit()
        seconds[name] = one.clf.history_["time"][2:].tolist()
    name = f"{case.name}: later epochs of one fit"
    return summarize("arms", run.device, name, "None", seconds, case.samples)


def whole_fits(run: Run, case: Case) -> list[Row]:
    """Fits from the start: k-means has clusters to find before the first step."""
    epochs = run.size(10, 1)
    fresh = {name: Estimator(case, run.device, max_epochs=epochs, **ARMS[name]) for name in FITS}
    seconds = run.time({name: timed(one.fit, run.device) for name, one in fresh.items()}, 3)
    name = f"{case.name}: a fit of {epochs} epochs"
    return summarize("arms", run.device, name, "None", seconds, epochs * case.samples)


def matrix_products(run: Run) -> list[Row]:
    """The rate of a large matrix product: what can be hoped for on this machine."""
    n = run.size(1024, 64, 8192)
    products, counts = {}, {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.ones(n, n, dtype=dtype, device=run.device)
        name = str(dtype).removeprefix("torch.")
        products[name] = timed(partial(torch.mm, a, a), run.device, run.size(10, 1))
        counts[name] = 2 * n**3
    seconds = run.time(products, 5)
    case = f"matrix product, {n} x {n}"
    return summarize("arms", run.device, case, "float32", seconds, "", counts)


# The authors' scripts

PAPER: dict[str, Any] = {
    "optimizer": "sgd",
    "lr": 0.01,
    "generator_optimizer": partial(torch.optim.SGD, weight_decay=5e-4),
    "generator_lr": 1e-3,
    "focal_gamma": 2.0,
    "meta_every": 1,
}

OURS: dict[str, dict[str, Any]] = {
    "single task": {"auxiliary": None},
    "exact": {},
    "exact, alternation='epoch'": {"alternation": "epoch"},
    "double_backward": {"meta_gradient": "double_backward"},
    "finite_difference": {"meta_gradient": "finite_difference"},
}

THEIRS: dict[str, dict[str, Any]] = {
    "reference, exact": {},
    "reference, exact, with diagnostics": {"diagnostics": True},
    "reference, exact, unused gradients left out": {"frugal": True},
    "reference, first-order": {"first_order": True},
    "reference, first-order, with diagnostics": {"first_order": True, "diagnostics": True},
    "reference, first-order, unused gradients left out": {"first_order": True, "frugal": True},
}


def reference(run: Run) -> list[Row]:
    """An epoch of ours and of the authors' scripts: the same networks, batches and optimizers."""
    rows = []
    for case in cases(run):
        rows += compare_with_reference(run, Case(**{**vars(case), "settings": PAPER}))
    return rows


def compare_with_reference(run: Run, case: Case) -> list[Row]:
    """All rows twice: beside a single task, and beside our default."""
    ours = {name: Estimator(case, run.device, **settings) for name, settings in OURS.items()}
    peaks = {name: peak_memory(one.fit, run.device) for name, one in ours.items()}
    counts = {name: operations(one.more) for name, one in ours.items()}
    methods: dict[str, Seconds] = {name: one.epoch for name, one in ours.items()}
    net, batches = ours["exact"].clf.net_, batches_of(case, run.device)

    def make(**settings: Any) -> Reference:
        return Reference(copy.deepcopy(net.module_), copy.deepcopy(net.generator_), **settings)

    for name, settings in THEIRS.items():
        peaks[name] = peak_memory(lambda s=settings: make(**s).epoch(batches), run.device)
        trained = make(**settings)
        counts[name] = operations(partial(trained.epoch, batches))
        methods[name] = timed(partial(trained.epoch, batches), run.device)
    seconds = run.time(methods, 5)
    sizes = (seconds, case.samples, counts, peaks)
    return [
        row
        for base in ("single task", "exact")
        for row in summarize("reference", run.device, case.name, base, *sizes)
    ]


def batches_of(case: Case, device: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The samples of a case on the device, in as many batches as the classifier makes."""
    X, y, _ = case.data()
    parts = np.array_split(
        np.random.default_rng(1).permutation(len(y)), -(-len(y) // case.batch_size)
    )
    return [
        (torch.from_numpy(X[part]).to(device), torch.from_numpy(y[part]).to(device))
        for part in parts
    ]


# A single task


@dataclass(frozen=True)
class Fit:
    """What all methods of a comparison are to train, on standardised inputs."""

    name: str
    X: np.ndarray
    y: np.ndarray
    backbone: Any
    batch_size: int
    epochs: int
    device: str = "cpu"
    n_threads: int = 1

    def standardised(self) -> np.ndarray:
        """The inputs as all but ours want them: float32, mean 0 and deviation 1."""
        if self.X.ndim == 2:
            return StandardScaler().fit_transform(self.X).astype(np.float32)
        X = self.X.astype(np.float32)
        axes = (0, 2, 3)
        return (X - X.mean(axes, keepdims=True)) / X.std(axes, keepdims=True)

    def network(self) -> nn.Module:
        """The same trunk as ours with its head, without what standardises."""
        trunk = self.backbone.build(self.X.shape[1:])
        with torch.no_grad():
            n_features = trunk.eval()(torch.zeros(2, *self.X.shape[1:])).shape[1]
        head = nn.Linear(n_features, len(np.unique(self.y)))
        return nn.Sequential(trunk, head).train().to(self.device)


def bare_loop(fit: Fit) -> nn.Module:
    """The least that trains the same network: no checks, no records, no callbacks."""
    x = torch.from_numpy(fit.standardised()).to(fit.device)
    target = torch.from_numpy(fit.y).to(fit.device)
    net = fit.network()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001, fused=True)
    for _ in range(fit.epochs):
        for index in torch.randperm(len(x), device=fit.device).split(fit.batch_size):
            optimizer.zero_grad()
            F.cross_entropy(net(x[index]), target[index]).backward()
            optimizer.step()
    return net


def ours(fit: Fit) -> MAXLClassifier:
    """The estimator, from the raw inputs."""
    return MAXLClassifier(
        fit.backbone,
        auxiliary=None,
        max_epochs=fit.epochs,
        batch_size=fit.batch_size,
        n_threads=fit.n_threads,
        device=fit.device,
        random_state=0,
    ).fit(fit.X, fit.y)


def plain_skorch(fit: Fit) -> skorch.NeuralNetClassifier:
    """What a user of skorch would write."""
    return skorch.NeuralNetClassifier(
        fit.network(),
        criterion=nn.CrossEntropyLoss,
        optimizer=partial(torch.optim.Adam, fused=True),
        lr=0.001,
        batch_size=fit.batch_size,
        max_epochs=fit.epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        device=fit.device,
    ).fit(fit.standardised(), fit.y)


def mlp_classifier(fit: Fit) -> MLPClassifier:
    """scikit-learn's own, for tables; its inputs stay float64."""
    return MLPClassifier(
        fit.backbone.hidden_layer_sizes,
        batch_size=fit.batch_size,
        max_iter=fit.epochs,
        n_iter_no_change=fit.epochs + 1,
        alpha=0.0,
    ).fit(StandardScaler().fit_transform(fit.X), fit.y)


SINGLE: dict[str, Callable[[Fit], Any]] = {
    "bare torch loop": bare_loop,
    "MAXLClassifier(auxiliary=None)": ours,
    "skorch.NeuralNetClassifier": plain_skorch,
    "sklearn MLPClassifier": mlp_classifier,
}


def single(run: Run) -> list[Row]:
    """Whole fits of one plain network, by ours and by others."""
    rows = []
    for fit in fits(run):
        methods = dict(SINGLE)
        if fit.X.ndim != 2 or run.device != "cpu":
            methods.pop("sklearn MLPClassifier")
        calls = {name: partial(method, fit) for name, method in methods.items()}
        torch_calls = {name: call for name, call in calls.items() if "sklearn" not in name}
        with threads(fit.n_threads):
            counts = {name: operations(call) for name, call in torch_calls.items()}
            peaks = {name: peak_memory(call, run.device) for name, call in torch_calls.items()}
            seconds = run.time(
                {name: timed(call, run.device) for name, call in calls.items()},
                15 if len(fit.X) < 10_000 else 5,
            )
        rows += summarize(
            "single", run.device, fit.name, "bare torch loop", seconds,
            fit.epochs * len(fit.X), counts, peaks,
        )  # fmt: skip
    return rows


def fits(run: Run) -> list[Fit]:
    """Two sets of images, a small table, and a large one on one and on two threads."""
    digits, labels = load_digits(return_X_y=True)
    small = run.size(slice(None), slice(160))
    digits, labels = digits[small], labels[small]
    rng = np.random.default_rng(0)
    n = run.size(2000, 32)
    images = rng.integers(256, size=(n, 1, 28, 28), dtype=np.uint8)
    X, y = make_classification(run.size(100_000, 400), n_informative=10, random_state=0)
    convnet, on = ConvNet(width=run.size(1.0, 0.1)), run.device
    found = [
        Fit("ConvNet, digits 8 x 8", digits.reshape(-1, 1, 8, 8).astype(np.uint8), labels,
            convnet, 128, run.size(5, 1), on),
        Fit(f"ConvNet, {n:,} images 28 x 28", images, np.arange(n) % N_CLASSES, convnet, 128,
            run.size(1, 1, 5), on),
        Fit("MLP (100,), digits as a table", digits, labels, MLP(), 128, run.size(20, 1), on),
        Fit(f"MLP (100,), {len(X):,} rows x 20", X, y, MLP(), 200, run.size(3, 1), on),
    ]  # fmt: skip
    if on == "cpu":
        found.append(
            Fit(f"{found[-1].name}, two threads", X, y, MLP(), 200, run.size(3, 1), n_threads=2)
        )
    return found


# Scaling

BOTH: dict[str, dict[str, Any]] = {"None": {"auxiliary": None}, "maxl": {}}


def scaling(run: Run) -> list[Row]:
    """How time and memory grow with the data and with the network."""
    rows = growing_samples(run)
    for case in growing_cases(run):
        rows += compare_epochs(run, "scaling", case, BOTH, "None", rounds=3)
    return rows


def growing_samples(run: Run) -> list[Row]:
    """One epoch, 100 features, each fit in a process of its own: resident memory less the data."""
    rows = []
    sizes = run.size((1000, 10_000, 100_000, 1_000_000), (400,))
    peaks: dict[tuple[int, str], int] = {}

    def fit(n: int, name: str) -> float:
        found = own_process(
            samples=n,
            features=100,
            auxiliary=BOTH[name].get("auxiliary", "maxl"),
            device=run.device,
        )
        peaks[n, name] = max(peaks.get((n, name), 0), int(found["bytes"]))
        return found["seconds"]

    methods = {(n, name): partial(fit, n, name) for n in sizes for name in BOTH}
    seconds = run.time(methods, 3)
    for n in sizes:
        rows += summarize(
            "scaling", run.device, f"samples: {n}", "None",
            {name: seconds[n, name] for name in BOTH}, n,
            peaks={name: peaks[n, name] for name in BOTH},
        )  # fmt: skip
    return rows


def growing_cases(run: Run) -> list[Case]:
    """Everything but the samples, one thing at a time."""
    found = [
        Case(f"features: {d}", MLP(), (d,), run.size(4000, 64, 16_000), 200)
        for d in run.size((10, 100, 1000, 10_000), (10,))
    ]
    found += [
        Case(f"classes: {c}", MLP(), (100,), run.size(4000, 64, 16_000), 200, c)
        for c in run.size((2, 10, 100, 1000), (20,))
    ]
    found += [
        Case(f"batch size: {size}", MLP(), (100,), run.size(8192, 64, 32_768), size)
        for size in run.size((32, 128, 512, 2048, 4096), (16,))
    ]
    found += [
        Case(f"hidden units: {h}", MLP((h,)), (100,), run.size(4000, 64, 16_000), 200)
        for h in run.size((32, 128, 512, 2048), (16,))
    ]
    found += [
        Case(f"ConvNet width: {w}", ConvNet(width=w), (1, 28, 28),
             *run.size((256, 128), (8, 4), (4096, 128)))
        for w in run.size((0.25, 0.5, 1.0, 2.0), (0.1,))
    ]  # fmt: skip
    return found


# Prediction


def predict(run: Run) -> list[Row]:
    """`predict_proba` and the bare network, for one sample and for many."""
    rows = []
    large = run.size((100_000, 10_000), (200, 150), (100_000, 100_000))
    for name, backbone, shape, many in (
        ("MLP, 64 features", MLP(), (64,), large[0]),
        ("ConvNet, 28 x 28 x 1", ConvNet(width=run.size(1.0, 0.1)), (1, 28, 28), large[1]),
    ):
        one = Estimator(Case(name, backbone, shape, 256, 128), run.device).fit()
        X, _, _ = Case(name, backbone, shape, many, 128).data()
        for n in (1, 100, many):
            rows += compare_predictions(run, f"{name}: {n} samples", one.clf, X[:n])
    return rows


def compare_predictions(run: Run, name: str, clf: MAXLClassifier, X: np.ndarray) -> list[Row]:
    """Seconds of one call, from array to array."""
    calls = run.size(max(1, 200 // len(X)), 2)
    methods = {
        "bare network": partial(bare_probabilities, clf.net_.module_, X, run.device),
        "predict_proba": partial(clf.predict_proba, X),
    }
    with threads(1):
        counts = {method: operations(call) for method, call in methods.items()}
        peaks = {method: peak_memory(call, run.device) for method, call in methods.items()}
        seconds = run.time(
            {method: timed(call, run.device, calls) for method, call in methods.items()}, 9
        )
    return summarize("predict", run.device, name, "bare network", seconds, len(X), counts, peaks)


def bare_probabilities(net: nn.Module, X: np.ndarray, device: str) -> np.ndarray:
    """The network in the same batches as the estimator's, and nothing else."""
    net.eval()
    size = max(1, INFERENCE_VALUES // int(np.prod(X.shape[1:])))
    with torch.inference_mode():
        parts = [
            torch.softmax(net.primary(part.to(device)), 1).cpu()
            for part in torch.from_numpy(X).split(size)
        ]
    return torch.cat(parts).numpy()


# Import

IMPORTS = {
    "import torch, sklearn, skorch": "import torch, sklearn, skorch",
    "import sklearn_maxl": "import sklearn_maxl",
}


def importing(run: Run) -> list[Row]:
    """Fresh processes that import and end."""
    methods = {
        name: timed(partial(subprocess.run, [sys.executable, "-c", code], check=True))
        for name, code in IMPORTS.items()
    }
    seconds = run.time(methods, 10)
    return summarize("import", run.device, "a fresh process", next(iter(IMPORTS)), seconds)


SECTIONS: dict[str, Callable[[Run], list[Row]]] = {
    "arms": arms,
    "reference": reference,
    "single": single,
    "scaling": scaling,
    "predict": predict,
    "import": importing,
}


def comment_on(run: Run, rows: list[Row]) -> str:
    """Machine, threads and repetitions, for the head of the file."""
    rounds = " or ".join(map(str, sorted({int(row.rounds) for row in rows})))
    warm_up = "" if run.smoke else " after one to warm up"
    return (
        f"{machine(run.device)}; one process, one thread where nothing else is said, "
        f"{rounds} interleaved rounds{warm_up}"
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section", nargs="*", help=f"some of {', '.join(SECTIONS)}; all if none")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--repetitions", type=int, help="rounds, instead of each section's own")
    parser.add_argument(
        "--smoke", action="store_true", help="one round, tiny sizes, a file that is thrown away"
    )
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.section) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    gc.freeze()  # what is imported need not be looked through before every measurement
    run = Run(chosen.device, chosen.repetitions, chosen.smoke)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), threads(1):
        warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
        path = Path(folder) / "speed.csv" if chosen.smoke else RESULTS
        for section in chosen.section or SECTIONS:
            rows = SECTIONS[section](run)
            write(path, section, run.device, comment_on(run, rows), rows)


if __name__ == "__main__":
    main()
