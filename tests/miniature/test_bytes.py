"""Archives, and what is found in them, are the same bytes on every machine: by what code may call, and by digests."""

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch import another_maker

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "pipeline/miniature").rglob("*.py"))

# fmt: off
# What NumPy may be asked for: types, layout, comparisons, integers, and float64's + − × ÷ sqrt, floor and rint
NUMPY = {
    "abs", "arange", "array", "asarray", "bool_", "bytes_", "concatenate", "empty", "errstate", "float32",
    "float64", "floor", "frombuffer", "full", "full_like", "inf", "int8", "int32", "int64", "integer", "isin",
    "linspace", "maximum", "minimum", "ndarray", "object_", "ones_like", "pad", "random", "rint", "searchsorted",
    "setdiff1d", "sign", "sqrt", "uint8", "uint16", "union1d", "unique", "where", "zeros", "zeros_like",
}
MODULES = {
    "__future__", "collections", "contextlib", "dataclasses", "functools", "h5py", "hashlib", "io", "itertools",
    "numpy", "pathlib", "PIL", "pipeline", "pyarrow", "random", "scipy", "struct", "tarfile", "tqdm", "typing",
    "zipfile", "zlib",
}
FROM_SCIPY = {"savemat", "csc_matrix"}  # they pack, they compute nothing
# Methods whose order of operations, or whose libm, is a library's choice
REFUSED = {
    "choice", "cos", "cumprod", "cumsum", "dot", "exp", "gauss", "log", "matmul", "mean", "normalvariate", "prod",
    "rand", "random_sample", "sin", "standard_normal", "std", "tan", "trace", "uniform", "var",
}
# fmt: on
SMALL = """
import json
from functools import partial
from pathlib import Path
from pipeline.convert.write_shard import plugin
from pipeline.convert.writer import convert
from pipeline.describe.describe import describe
from pipeline.miniature import imagenet, leaves, nyud, pascalcontext, sbd, siftflow, voc
imagenet.render(Path("imagenet"), seed=7, side=64, train=2, val=1)
leaves.render(Path("leaves"), seed=7, side=96, images=3)
nyud.render(Path("nyud"), seed=7, side=64, train=2, val=2, test=2)
pascalcontext.render(Path("pascalcontext"), seed=7, side=96, train=4, val=2)
sbd.render(Path("sbd"), seed=7, side=96, train=8, val=2, held_out=2)
siftflow.render(Path("siftflow"), seed=7, side=64, trainval=8, test=2, unannotated=2)
voc.render(Path("voc"), seed=7, side=96, train=4, val=3, held_out=2)
for key in ("nyud", "pascalcontext", "sbd", "siftflow", "voc"):
    source, shards = partial(plugin, key), Path("shards") / key
    convert(key, source, Path(key), shards, rows_per_shard=5, expect=None, processes=1)
    describe(shards, Path("found") / key)
    for path in sorted(shards.rglob("_manifest.json")):  # but not how Parquet packs the rows, which is its release's
        manifest = json.loads(path.read_text()) | {"shards": []}
        (Path("found") / key / f"{path.parent.name}.json").write_text(json.dumps(manifest))
"""
FOLDERS = ("leaves/", "found/nyud/", "found/pascalcontext/", "found/sbd/", "found/siftflow/", "found/voc/")
DIGESTS = json.loads((Path(__file__).parent / "digests.json").read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_pixels_come_from_operations_that_every_processor_rounds_alike(path: Path) -> None:
    wrong = [complaint for node in ast.walk(ast.parse(path.read_text())) for complaint in complaints(node)]
    assert not wrong, f"{path.name}: {wrong}"


def complaints(node: ast.AST) -> list[str]:
    """What a node does that another processor, or another library, may round otherwise."""
    match node:
        case ast.Import(names=names):
            return [name.name for name in names if name.name.split(".")[0] not in MODULES]
        case ast.ImportFrom(module=str(module), names=names):
            top = module.split(".")[0]
            wrong = top == "scipy" and {name.name for name in names} - FROM_SCIPY
            return [module] if wrong or top not in MODULES else []
        case ast.BinOp(op=ast.MatMult() | ast.Pow()) | ast.AugAssign(op=ast.MatMult() | ast.Pow()):
            return [f"line {node.lineno}: @ or **"]
        case ast.Attribute(value=ast.Name(id="np"), attr=name) if name not in NUMPY:
            return [f"np.{name}"]
        case ast.Attribute(value=ast.Attribute(attr="random"), attr=name) if name != "PCG64":
            return [f"random.{name}"]
        case ast.Attribute(value=ast.Name(id="random"), attr=name) if name != "Random":
            return [f"random.{name}"]
        case ast.Call(func=ast.Attribute(attr="sum"), keywords=keywords):
            whole = any(keyword.arg == "dtype" and ast.unparse(keyword.value) == "np.int64" for keyword in keywords)
            return [] if whole else [f"line {node.lineno}: a sum of floats"]
        case ast.Call(func=ast.Name(id="sum" | "pow")):
            return [f"line {node.lineno}: {ast.unparse(node.func)}"]
        case ast.Attribute(attr=name) if name in REFUSED:
            return [f".{name}"]
    return []


REFUSALS = (
    *("import math", "from scipy.ndimage import gaussian_filter", "a @ b", "a ** b", "a.sum(axis=0)", "a.mean()"),
    *("np.sin(a)", "np.dot(a, b)", "np.random.default_rng(1)", "np.linalg.norm(a)", "sum(a)", "random.random()"),
)


@pytest.mark.parametrize("code", REFUSALS)
def test_what_rounds_by_the_library_s_choice_is_refused(code: str) -> None:
    assert [complaint for node in ast.walk(ast.parse(code)) for complaint in complaints(node)]


def levels() -> list[str]:
    """What NPY_DISABLE_CPU_FEATURES may name here: nothing, the newest feature, the two newest, …"""
    from numpy._core import _multiarray_umath as core

    here = [name for name in core.__cpu_dispatch__ if core.__cpu_features__[name]]
    return [" ".join(here[len(here) - count :]) for count in range(len(here) + 1)]


@pytest.mark.parametrize("disabled", levels(), ids=lambda level: level or "all")
def test_archives_are_the_same_at_every_level_of_the_processor(tmp_path: Path, disabled: str) -> None:
    assert rendered(tmp_path, [sys.executable], NPY_DISABLE_CPU_FEATURES=disabled) == DIGESTS


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="no qemu-user")
def test_archives_are_the_same_on_another_maker_s_processor(tmp_path: Path) -> None:
    assert rendered(tmp_path, another_maker(), OPENBLAS_NUM_THREADS="1") == DIGESTS


def rendered(folder: Path, python: list[str], **environment: str) -> dict[str, str]:
    """The digests of what ``SMALL`` writes in another process, by path; those of a folder as one.

    What is found: samples (HHA among them) by the manifest's digest, moments, class shares, counts, sizes.
    """
    path = os.pathsep.join([str(ROOT), *(place for place in sys.path if place)])
    environment |= {"PYTHONPATH": path, "PYTHONHASHSEED": "2", "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([*python, "-c", SMALL], cwd=folder, env=environment, check=True)
    digests: dict[str, str] = {}
    for file in sorted(found for found in folder.rglob("*") if found.is_file()):
        name = file.relative_to(folder).as_posix()
        if name.startswith("shards/") or file.suffix == ".parquet" or "pictures" in file.parts:
            continue
        key = next((folder for folder in FOLDERS if name.startswith(folder)), name)
        digests[key] = hashlib.sha256(digests.get(key, "").encode() + file.read_bytes()).hexdigest()
    return digests


if __name__ == "__main__":  # after a change that is meant to change pixels: python -m tests.miniature.test_bytes
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        text = json.dumps(rendered(Path(scratch), [sys.executable]), indent=2)
    (Path(__file__).parent / "digests.json").write_text(text + "\n")
