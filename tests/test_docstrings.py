"""Every public name is documented in numpydoc's form."""

import inspect

import pytest
from numpydoc.validate import validate

import sklearn_maxl
from sklearn_maxl import backbones

ERRORS = {f"PR{n:02}" for n in range(1, 11)} | {"RT01", "RT02", "RT03", "SS03", "GL08"}


def public_names():
    for module in (sklearn_maxl, backbones):
        for name in module.__all__:
            obj = getattr(module, name)
            yield f"{module.__name__}.{name}"
            if inspect.isclass(obj):
                # Not what is inherited or generated: scikit-learn documents its own methods.
                own = [m for m, value in vars(obj).items() if hasattr(value, "__get__")]
                yield from (
                    f"{module.__name__}.{name}.{m}"
                    for m in own
                    if not m.startswith("_") and not m.endswith("_request")
                )


NAMES = list(public_names())


@pytest.mark.parametrize("name", NAMES)
def test_docstring_is_complete(name):
    errors = [f"{code}: {text}" for code, text in validate(name)["errors"] if code in ERRORS]
    assert not errors, "\n".join(errors)


def test_conditional_methods_and_backbones_are_among_the_names():
    assert "sklearn_maxl.MAXLClassifier.generate_auxiliary_labels" in NAMES
    assert "sklearn_maxl.MAXLClassifier.load" in NAMES
    assert "sklearn_maxl.backbones.Custom.build" in NAMES


def test_every_attribute_of_a_fitted_classifier_is_documented(iris):
    clf = sklearn_maxl.MAXLClassifier(max_epochs=1).fit(*iris)
    fitted = {name for name in vars(clf) if name.endswith("_") and not name.startswith("_")}
    text = inspect.getdoc(type(clf)).split("Attributes\n")[1]
    documented = {line.split(" : ")[0] for line in text.splitlines() if " : " in line}
    assert fitted <= documented
