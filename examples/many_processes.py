"""
One fit over many processes
===========================

As a script by itself this is an ordinary fit. Started by ``torchrun``, every process runs the same
script, and all train one network together::

    python examples/many_processes.py
    torchrun --nproc-per-node=2 examples/many_processes.py

A process that ``torchrun`` restarts goes on from the last checkpoint (``--max-restarts=3``, and a
folder that outlives the processes as the argument of this script).
"""

import os
import sys
import tempfile
from datetime import timedelta

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP
from sklearn_maxl.callbacks import Checkpoint
from sklearn_maxl.labels import Learned

# %%
# What makes a process one of several is the process group. ``torchrun`` tells each its number by
# environment variables; on GPUs each takes its own before anything else.
under_torchrun = "RANK" in os.environ and "MASTER_ADDR" in os.environ
if under_torchrun:
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group(
        "nccl" if on_gpu else "gloo", timeout=timedelta(minutes=10)
    )
first = not under_torchrun or torch.distributed.get_rank() == 0

# %%
# Every process has all the data, and calls ``fit`` with the same parameters.
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=500, random_state=0)
callbacks = [Checkpoint(sys.argv[1])] if len(sys.argv) > 1 and under_torchrun else None
clf = MAXLClassifier(
    MLP((64,)),
    auxiliary=Learned(every=4),
    batch_size=100,
    max_epochs=10,
    temperature=1.0,
    callbacks=callbacks,
    random_state=0,
)
clf.fit(X_train, y_train)

# %%
# All have the same fitted estimator afterwards. One of them says how it does, and writes the file.
if first:
    print(f"accuracy {clf.score(X_test, y_test):.3f} after {clf.n_iter_} epochs")
    with tempfile.TemporaryDirectory() as folder:
        clf.save(os.path.join(folder, "digits.safetensors"))
if under_torchrun:
    torch.distributed.destroy_process_group()
