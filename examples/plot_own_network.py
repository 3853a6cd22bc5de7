"""
Your own network
================

Any ``torch.nn.Module`` that turns a batch of samples into a batch of feature
vectors can be the backbone. ``Custom`` holds the class and its arguments, and a
fresh network is built in every fit, so nothing learned leaks from one fold of a
cross-validation to the next.

The class must be importable wherever the classifier is unpickled: put it in a
module of yours, not in a notebook cell.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, Custom
from sklearn_maxl.labels import Learned
from sklearn_maxl.plots import TrainingCurveDisplay

# %%
# The network
# -----------
# Convolutions with a shortcut around each block. ``Custom`` fills in ``input_shape``, the shape
# of one sample.


class ResidualNet(nn.Module):
    """A small residual network; its output has ``width`` features."""

    def __init__(self, input_shape: tuple[int, int, int], width: int, depth: int = 2):
        super().__init__()
        self.stem = nn.Conv2d(input_shape[0], width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1),
            )
            for _ in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return x.amax(dim=(2, 3))


# %%
# A fit
# -----
# The label generator may be another, cheaper network: here a small MLP. With so small a
# network and so few epochs, views would not help yet.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X.reshape(-1, 1, 8, 8), y, train_size=300, stratify=y, random_state=0
)
clf = MAXLClassifier(
    Custom(ResidualNet, width=16),
    auxiliary=Learned(MLP(hidden_layer_sizes=(64,))),
    batch_size=50,
    max_epochs=40,
    views=None,
    random_state=0,
)
clf.fit(X_train, y_train)

# %%
# How good is it, and which of its parameters can a grid search reach?

print(f"test accuracy {clf.score(X_test, y_test):.3f}")
print("parameters:", [name for name in clf.get_params() if name.startswith("backbone__")])

# %%
# What the fit recorded.

TrainingCurveDisplay.from_estimator(clf)
plt.show()
