"""CONTRIBUTING's table of doors, word for word: what it tells is done to a copy of the package.

For every row, the code goes into the file that the row names and the name into the table that
the row names, and nothing else is touched. Then the copy is used.
"""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

import sklearn_maxl

PACKAGE = Path(sklearn_maxl.__file__).parent
CONTRIBUTING = PACKAGE.parent / "CONTRIBUTING.md"


@dataclass(frozen=True)
class Example:
    """What somebody adds, and how it is seen that it works.

    `code` goes into the file, `entry` into the table; `check` is an expression that is true.
    """

    code: str
    entry: str
    check: str
    use: str = ""


EXAMPLES = {
    "a view of the auxiliary task": Example(
        code="""
            def flipped(x, number):
                return x.flip(3) if number else x


            def flips(input_shape):
                return Views(flipped, 2)
            """,
        entry='"flips": flips',
        use='clf = images(views="flips", psi=3)',
        # Two views of three auxiliary classes for each of ten classes.
        check="clf.net_.module_.auxiliary_head.out_features == 60"
        " and clf.predict_proba(I).shape == (120, 10) and clf.predict_auxiliary(I).shape[1] == 30",
    ),
    "a source of auxiliary labels": Example(
        code="""
            from ._labels import Labels


            class First(Labels):
                def assign(self, rows, rng):
                    return 0 * rows.y
            """,
        entry='"first": First',
        use='clf = table(auxiliary="first", psi=2)',
        check="clf._fitted.labels.__class__.__name__ == 'First'"
        " and clf.predict_auxiliary(X).shape == (150, 6)"
        " and clf.predict_auxiliary(X)[:, ::2].mean() > 0.2",
    ),
    "a backbone": Example(
        code="""
            from sklearn.base import BaseEstimator
            from torch import nn


            class Tiny(BaseEstimator):
                def __init__(self, width=3):
                    self.width = width

                def build(self, input_shape):
                    return nn.Linear(*input_shape, self.width)
            """,
        entry='"tiny": Tiny',
        use='clf = table(backbone="tiny")',
        check="clf.transform(X).shape == (150, 3)"
        " and (again(clf).predict_proba(X) == clf.predict_proba(X)).all()",
    ),
    "an optimizer's virtual step": Example(
        code="""
            from torch.optim import RMSprop


            def rmsprop(p, g, state, group):
                CALLS.append(1)
                return plain(p, g, state, group)


            CALLS = []
            """,
        entry="RMSprop: rmsprop",
        use="clf = table(optimizer=torch.optim.RMSprop, auxiliary=Learned(every=1))",
        check="len(sklearn_maxl._maths.virtual_step.CALLS) > 0",
    ),
    "an optimizer by name": Example(
        code="""
            class RMSprop(Holder):
                optimizer_class = torch.optim.Adadelta

                def __init__(self, weight_decay=0.0):
                    self.weight_decay = weight_decay

                def __call__(self, parameters, lr):
                    return torch.optim.RMSprop(parameters, lr=lr, weight_decay=self.weight_decay)
            """,
        entry='"rmsprop": RMSprop',
        use='clf = table(optimizer="rmsprop")',
        check="type(clf.net_.optimizer_).__name__ == 'RMSprop'"
        " and (again(clf).predict_proba(X) == clf.predict_proba(X)).all()",
    ),
    "a term of the generator's loss": Example(
        code="""
            def sharpness(Y, weight):
                return entropies(Y).mean()
            """,
        entry='"sharp_weight": sharpness',
        use="""
            class Sharp(Learned):
                def __init__(self, sharp_weight=0.0, lr=0.001):
                    super().__init__(lr=lr, every=1)
                    self.sharp_weight = sharp_weight

            clf = table(auxiliary=Sharp(sharp_weight=5.0, lr=0.05))
            plain = table(auxiliary=Sharp(lr=0.05))
            """,
        check="clf.history_['label_entropy'][-1] < 0.8 * plain.history_['label_entropy'][-1]",
    ),
    "a meta-gradient": Example(
        code="""
            def none(problem):
                M = problem.meta_loss(problem.t).detach()
                return M, torch.zeros_like(problem.Y)
            """,
        entry='"none": none',
        use='clf = table(auxiliary=Learned(meta_gradient="none", every=1))',
        check="(clf.history_['gradient_norm_ratio'] == 0).all()",
    ),
    "data for the meta loss": Example(
        code="""
            def first_batch(data, batch_size, rng):
                pairs = list(same_batches(data, batch_size, rng))
                return ((train, pairs[0][1]) for train, _ in pairs)
            """,
        entry='"first": first_batch',
        use='clf = table(auxiliary=Learned(meta_batch="first", every=1))',
        check="np.isfinite(clf.history_['meta_loss']).all()",
    ),
    "an augmentation": Example(
        code="""
            def darker(x, rng):
                return x * 0
            """,
        entry='"darker": darker',
        use='clf = images(augment="darker")',
        check="clf.score(I, t) < 0.3",
    ),
    "a schedule": Example(
        code="""
            def stopped(progress):
                return 0.0
            """,
        entry='"stopped": stopped',
        use='clf = table(schedule="stopped", auxiliary=None)',
        check="np.ptp(clf.history_['primary_loss']) < 0.2",
    ),
}

SCRIPT = """
import json, os, tempfile, warnings
import numpy as np, torch
from sklearn.datasets import load_digits, load_iris
import sklearn_maxl
from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.labels import Learned

torch.set_num_threads(1)
warnings.simplefilter("ignore")
X, y = load_iris(return_X_y=True)
D, d = load_digits(return_X_y=True)
I, t = D[:120].reshape(-1, 1, 8, 8).astype(np.uint8), d[:120]


def quick(**parameters):
    return MAXLClassifier(**{"max_epochs": 3, "random_state": 0, **parameters})


def table(**parameters):
    return quick(**{"lr": 0.01, "backbone": "mlp", **parameters}).fit(X, y)


def images(**parameters):
    return quick(backbone=ConvNet((4, 6)), **parameters).fit(I, t)


def again(clf):
    path = os.path.join(tempfile.mkdtemp(), "a.safetensors")
    clf.save(path)
    return MAXLClassifier.load(path)


found = {}
"""


def doors():
    """Rows of the table: what is added, the file of its code, its table and that one's file."""
    text = CONTRIBUTING.read_text().split("## Doors")[1].split("\n## ")[0]
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and cells[0] not in ("to add", "") and "---" not in cells[0]:
            file, *_ = re.findall(r"`([\w/.]+)`", cells[1])
            table, of = re.findall(r"`([\w/.]+)`", cells[3])
            yield cells[0], file, table, of


def insert(path, table, entry):
    """The entry as the first of a table, which is a dictionary."""
    text, n = re.subn(
        rf"(^{table}\b[^=\n]*= \{{)", lambda m: f"{m[0]}{entry}, ", path.read_text(), flags=re.M
    )
    assert n == 1, f"{table} is no table in {path.name}"
    path.write_text(text)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What became of every row's example, in one copy of the package that has them all."""
    root = tmp_path_factory.mktemp("doors")
    copy = root / "sklearn_maxl"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    script = SCRIPT
    for number, (name, file, table, of) in enumerate(doors()):
        example, code = EXAMPLES[name], dedent(EXAMPLES[name].code)
        path, holder = copy / file, copy / of
        text = holder.read_text()
        if path.is_dir():
            path = path / f"_new{number}.py"
            path.write_text(code)
            cls = re.search(r"class (\w+)", code).group(1)
            head = f"from ._new{number} import {cls}\n"
            holder.write_text(text.replace("from ._", head + "from ._", 1))
        elif code:
            # Before the table, which knows only what stands above it.
            at = re.search(rf"^{table}\b", path.read_text(), flags=re.M).start()
            path.write_text(path.read_text()[:at] + code + "\n\n" + path.read_text()[at:])
        insert(holder, table, example.entry)
        script += (
            f"try:\n{_indented(example.use)}\n    found[{name!r}] = bool({example.check})\n"
            f"except Exception as error:\n    found[{name!r}] = repr(error)\n"
        )
    script += "print(json.dumps(found))\n"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _indented(code):
    return "\n".join("    " + line for line in dedent(code).strip().splitlines())


def test_every_door_has_an_example():
    assert [name for name, *_ in doors()] == list(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_added_as_contributing_tells_works(name, found):
    assert found[name] is True
