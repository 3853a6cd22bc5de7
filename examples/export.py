"""
To ONNX
=======

``to_torch`` makes one torch module of a fitted estimator: raw samples in, what ``predict_proba``
computes out. This example writes it to an ONNX file, which runs without Python, and compares.
It needs ``pip install "sklearn_maxl[export]"``.
"""

import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_maxl import MAXLClassifier

images, y = load_digits(return_X_y=True)
X = images.reshape(-1, 1, 8, 8).astype(np.float32)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=300, random_state=0)
clf = MAXLClassifier(max_epochs=15, random_state=0).fit(X_train, y_train)
print(f"accuracy on {len(X_test)} test images: {clf.score(X_test, y_test):.3f}")

# %%
# The module
# ----------
# It lies on the CPU, in eval mode, and later fits do not change it. The standardisation is within
# and so are the views: this module turns each image four times.

module = clf.to_torch()
probabilities = module(torch.from_numpy(X_test))
print("classes:", clf.classes_)
print("probabilities:", tuple(probabilities.shape), probabilities.dtype)

# %%
# The file
# --------
# The first axis gets a name, so that the file takes any number of samples.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "classifier.onnx"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch's exporter warns of its own parts
    program = torch.onnx.export(
        module,
        (torch.from_numpy(X_test[:2]),),
        input_names=["samples"],
        output_names=["probabilities"],
        dynamic_shapes=({0: torch.export.Dim("n")},),
        dynamo=True,
        verbose=False,
    )
program.save(path)

# %%
# A program that runs it
# ----------------------
# Neither torch nor this package is needed here. The file does not hold ``classes_``: keep it
# beside the file.

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # as many as the classifier takes
session = onnxruntime.InferenceSession(str(path), options)


def from_the_file(samples: np.ndarray) -> np.ndarray:
    """Probabilities of the classes."""
    return session.run(["probabilities"], {"samples": samples})[0]


predicted = clf.classes_[from_the_file(X_test).argmax(axis=1)]
print("same classes as predict:", bool((predicted == clf.predict(X_test)).all()))


def microseconds(predict: Callable[[np.ndarray], np.ndarray], n: int) -> float:
    """Median time of a sample, where n samples come at once."""
    times = []
    for _ in range(20):
        start = time.perf_counter()
        predict(X_test[:n])
        times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times)) / n


difference = np.abs(from_the_file(X_test) - clf.predict_proba(X_test)).max()
print(f"largest difference of a probability: {difference:.1e}")
print(f"file: {path.stat().st_size / 1000:.0f} kB")
for n in (1, 500):
    own, file = microseconds(clf.predict_proba, n), microseconds(from_the_file, n)
    print(f"{n} at once: predict_proba {own:.0f} µs a sample, the file {file:.0f} µs")
folder.cleanup()
