"""
Saving and serving
==================

``save`` writes a fitted classifier to one file, and ``load`` reads it without running code
that is in the file. This example saves one, loads it as a server would, and measures how long
answers take.
"""

import json
import pickle
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from sklearn_maxl import MAXLClassifier

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
clf = MAXLClassifier(max_epochs=40, random_state=0).fit(X_train, y_train)

# %%
# One file
# --------
# A pickle works as well, but it can run any code when it is opened. The saved file does not
# hold the state of the optimizers, which only training needs.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "classifier.safetensors"
clf.save(path)
print(
    f"saved file {path.stat().st_size / 1000:.0f} kB, pickle {len(pickle.dumps(clf)) / 1000:.0f} kB"
)

# %%
# In the server
# -------------
# Load once, when the process starts, and name the device. The predictions are the same bits.

served = MAXLClassifier.load(path, device="cpu")
difference = np.abs(served.predict_proba(X_test) - clf.predict_proba(X_test)).max()
print("largest difference of a probability:", difference)


def answer(request: str) -> str:
    """Answer a request in JSON, as any web framework would hand it over."""
    probabilities = served.predict_proba(np.array(json.loads(request)["samples"]))
    return json.dumps(
        {"classes": served.classes_.tolist(), "probabilities": probabilities.round(3).tolist()}
    )


print(answer(json.dumps({"samples": X_test[:2].tolist()})))

# %%
# A request that does not fit is an error that says why; the server should pass the text on.

try:
    answer(json.dumps({"samples": [[1.0, 2.0]]}))
except ValueError as error:
    print(error)

# %%
# A damaged file
# --------------
# One changed byte is found by the checksum.

content = bytearray(path.read_bytes())
content[-1] ^= 1
damaged = path.with_name("damaged.safetensors")
damaged.write_bytes(content)
try:
    MAXLClassifier.load(damaged)
except ValueError as error:
    print(str(error).replace(f"{folder.name}/", ""))
folder.cleanup()

# %%
# How long does an answer take?
# -----------------------------
# The median of many requests, on one thread. A small request spends most of its time outside the
# network, so several samples in one request cost little more than one.

SIZES = (1, 10, 100, 1000)


def milliseconds(n: int, repeats: int = 50) -> float:
    """Median time of a prediction of n samples."""
    samples = np.resize(X_test, (n, X_test.shape[1]))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        served.predict_proba(samples)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


durations = [milliseconds(n) for n in SIZES]
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.semilogx(SIZES, durations, "o-", color="#0072B2")
for n, duration in zip(SIZES, durations, strict=True):
    ax.annotate(
        f"{duration:.2g} ms", (n, duration), xytext=(0, 8), textcoords="offset points", ha="center"
    )
ax.set_xlabel("samples in a request")
ax.set_ylabel("milliseconds")
ax.margins(0.12)
ax.set_ylim(0, 1.25 * max(durations))
ax.spines[["top", "right"]].set_visible(False)
plt.show()
