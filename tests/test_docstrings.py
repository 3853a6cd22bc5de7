"""Every public name is documented in numpydoc's form."""

import ast
import inspect
import re
from pathlib import Path

import pytest
from numpydoc.validate import validate

import sklearn_maxl
from sklearn_maxl import (
    MAXLRegressor,
    backbones,
    callbacks,
    comparison,
    datasets,
    functional,
    labels,
    optimizers,
    plots,
    preprocessing,
)
from sklearn_maxl._estimators.docstrings import entries, with_parameters_of

MODULES = [
    sklearn_maxl, backbones, callbacks, comparison, datasets, functional, labels, optimizers, plots,
    preprocessing,
]  # fmt: skip
ERRORS = {f"PR{n:02}" for n in range(1, 11)} | {"RT01", "RT02", "RT03", "SS03", "GL08"}


def own_methods(cls):
    """What the package defines and documents; an override may leave its text to its base class."""
    definer = {m: c for c in reversed(inspect.getmro(cls)) for m in vars(c)}
    for name, c in sorted(definer.items()):
        member = vars(c)[name]
        inherits = getattr(member, "__doc__", None) is None and inspect.getdoc(member)
        public = not name.startswith("_") and not name.endswith("_request")
        # Not what is inherited or generated: scikit-learn documents its own methods.
        ours = c.__module__.startswith("sklearn_maxl") and hasattr(member, "__get__")
        if public and ours and not inherits and not issubclass(cls, tuple):
            yield name


def public_names():
    for module in MODULES:
        for name in module.__all__:
            obj = getattr(module, name)
            if callable(obj):
                yield f"{module.__name__}.{name}"
            if inspect.isclass(obj):
                yield from (f"{module.__name__}.{name}.{m}" for m in own_methods(obj))


NAMES = list(public_names())


@pytest.mark.parametrize("name", NAMES)
def test_docstring_is_complete(name):
    errors = [f"{code}: {text}" for code, text in validate(name)["errors"] if code in ERRORS]
    assert not errors, "\n".join(errors)


def test_conditional_methods_and_backbones_are_among_the_names():
    assert "sklearn_maxl.MAXLRegressor.generate_auxiliary_labels" in NAMES
    assert "sklearn_maxl.MAXLClassifier.load" in NAMES
    assert "sklearn_maxl.backbones.Custom.build" in NAMES
    assert "sklearn_maxl.labels.KMeans.soft_labels" in NAMES
    assert "sklearn_maxl.optimizers.SGD" in NAMES


@pytest.mark.parametrize("estimator", [sklearn_maxl.MAXLClassifier, sklearn_maxl.MAXLRegressor])
def test_every_fitted_attribute_is_documented(estimator, iris):
    fitted_one = estimator(max_epochs=1).fit(*iris)
    fitted = {n for n in vars(fitted_one) if n.endswith("_") and not n.startswith("_")}
    text = inspect.getdoc(estimator).split("Attributes\n")[1]
    documented = {line.split(" : ")[0] for line in text.splitlines() if " : " in line}
    assert fitted <= documented


def test_both_estimators_give_a_shared_parameter_one_default_and_one_text():
    classifier, regressor = (
        inspect.signature(e).parameters for e in (sklearn_maxl.MAXLClassifier, MAXLRegressor)
    )
    shared = set(classifier) & set(regressor)
    assert set(classifier) - shared == {"class_weight", "label_smoothing", "temperature", "views"}
    assert set(regressor) - shared == {"loss", "n_bins"}
    assert all(classifier[name].default == regressor[name].default for name in shared)
    texts = entries(sklearn_maxl.MAXLClassifier.__doc__), entries(MAXLRegressor.__doc__)
    different = {name for name in shared if texts[0][name] != texts[1][name]}
    assert different == {"focal_gamma", "early_stopping", "tol"}


def test_a_placeholder_for_what_is_not_documented_is_an_error():
    with pytest.raises(KeyError, match="nonsense"):
        with_parameters_of(sklearn_maxl.MAXLClassifier)(type("E", (), {"__doc__": "{nonsense}"}))


def test_the_page_of_defaults_has_every_parameter_with_its_default():
    """A table for the classifier, and one for `Learned`."""
    page = (Path(__file__).parents[1] / "docs" / "defaults.rst").read_text()
    value = r"None|True|False|[\d\"]\S*"
    shown = []
    for table in re.split(r"^=+ +[= ]+$", page, flags=re.MULTILINE):
        rows = re.findall(rf"^``(\w+)`` +({value})", table, flags=re.MULTILINE)
        if rows:
            shown.append({name: ast.literal_eval(value) for name, value in rows})
    holders = sklearn_maxl.MAXLClassifier, labels.Learned
    signatures = [inspect.signature(holder).parameters for holder in holders]
    assert shown == [{name: p.default for name, p in s.items()} for s in signatures]
