"""What stages share, imported once: other people's packages alone, for our own code may change while a run goes on."""

from __future__ import annotations

import gc
import importlib
import sys
from contextlib import suppress

OURS = ("pipeline", "stages")
SHARED = (
    "click",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "numpy",
    "PIL.Image",
    "pyarrow.parquet",
    "safetensors.torch",
    "scipy.ndimage",
    "simplejpeg",
    "torch",
    "tqdm",
    "yaml",
)

with suppress(ImportError):  # a project of other stages has none of it
    importlib.import_module("pipeline")  # before torch, for it pins the kernels
    for name in SHARED:
        importlib.import_module(name)
for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
    del sys.modules[name]
gc.collect()
gc.freeze()  # what the children never free, they need not copy
