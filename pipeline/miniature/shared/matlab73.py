"""MATLAB's 7.3 files, which are HDF5 behind a block of text: arrays by frame, and cells of strings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

_BLOCK = 512  # bytes before the HDF5 file proper
_TEXT = 116  # bytes of text that open the block; MATLAB writes the date there
_LEVEL = 1  # gzip's; 3 makes the file 1.5 % smaller and its rendering 7 % longer
_CLASSES = {"uint8": "uint8", "uint16": "uint16", "float32": "single", "float64": "double"}


@contextmanager
def writing(path: Path) -> Iterator[h5py.File]:
    """A new file to fill; when the block ends well it begins with MATLAB's text, version 2.0 and byte order."""
    with h5py.File(path, "w", userblock_size=_BLOCK, libver="earliest") as file:
        yield file
    with path.open("r+b") as block:
        block.write(b"MATLAB 7.3 MAT-file, miniature HDF5 schema 1.00 .".ljust(_TEXT) + bytes(8) + b"\x00\x02IM")


def frames(file: h5py.File, name: str, shape: tuple[int, ...], dtype: str) -> Any:
    """An empty dataset of N frames, ``shape`` with N first as HDF5 counts (last in MATLAB), to be filled by frame.

    It is gzipped frame by frame.
    """
    chunk = (1, *shape[1:])
    data = file.create_dataset(name, shape, dtype, chunks=chunk, compression="gzip", compression_opts=_LEVEL)
    data.attrs["MATLAB_class"] = np.bytes_(_CLASSES[dtype])
    return data


def matrix(file: h5py.File, name: str, values: np.ndarray[Any, Any]) -> None:
    """A matrix as HDF5 counts: MATLAB's transposed."""
    data = file.create_dataset(name, data=values)
    data.attrs["MATLAB_class"] = np.bytes_(_CLASSES[values.dtype.name])


def strings(file: h5py.File, name: str, values: Sequence[str]) -> None:
    """An N×1 cell of strings: 1×N references to UTF-16 arrays of len×1, which lie in ``#refs#``."""
    store = file.require_group("#refs#")
    cell = file.create_dataset(name, (1, len(values)), h5py.ref_dtype)
    cell.attrs["MATLAB_class"] = np.bytes_("cell")
    first = len(store)
    for number, value in enumerate(values):
        letters = np.frombuffer(value.encode("utf-16-le"), np.uint16)[:, None]
        data = store.create_dataset(_reference(first + number), data=letters)
        data.attrs["MATLAB_class"] = np.bytes_("char")
        data.attrs["MATLAB_int_decode"] = np.int32(2)
        cell[0, number] = data.ref


def _reference(number: int) -> str:
    """a, b, …, z, ba, bb, …: MATLAB too names what cells refer to by letters."""
    letters = chr(ord("a") + number % 26)
    return (_reference(number // 26) if number >= 26 else "") + letters
