"""
A torchvision network as the backbone
=====================================

Every network that returns features can be the trunk. One of torchvision does so
once its last layer is an identity; ``Custom`` builds it anew in every fit and lets a
grid search reach the function's arguments, ``backbone__name`` and
``backbone__weights``.

It needs torchvision, which is not among the package's dependencies, so it is not run when these
pages are built. Run it with ``python examples/torchvision_backbone.py``; a quarter of a minute.
"""

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet, Custom
from sklearn_maxl.labels import Learned

try:
    import torchvision
except (ImportError, RuntimeError) as error:  # RuntimeError: it is built for another torch
    print(f"This example needs a torchvision that fits your torch ({error}).")
    print("Install both together: pip install torch torchvision, from the same index.")
    sys.exit(0)


# %%
# The network
# -----------


def resnet(name: str = "resnet18", weights: str | None = None) -> nn.Module:
    """A ResNet without its last layer; ``weights="DEFAULT"`` downloads trained ones."""
    network = torchvision.models.get_model(name, weights=weights)
    network.fc = nn.Identity()
    return network


# %%
# The data
# --------
# Images of 8 x 8, enlarged to 32 x 32 and made three equal channels.

X, y = load_digits(return_X_y=True)
X = np.kron(X.reshape(-1, 1, 8, 8), np.ones((1, 3, 4, 4))).astype(np.float32)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=200, test_size=200, stratify=y, random_state=0
)

# %%
# The fit
# -------
# The label generator may be small. Inputs are standardised inside the classifier.

clf = MAXLClassifier(
    Custom(resnet, name="resnet18"),
    auxiliary=Learned(ConvNet()),
    batch_size=50,
    max_epochs=4,
    random_state=0,
).fit(X_train, y_train)
print(f"test accuracy {clf.score(X_test, y_test):.3f}")
print("features of a sample:", clf.transform(X_test).shape[1])
print("parameters:", [name for name in clf.get_params() if name.startswith("backbone__")])
