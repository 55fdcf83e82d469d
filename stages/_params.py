"""What a stage may read from params.yaml: the leaves that dvc.yaml declares for it, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.types import Refusal

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where libyaml is


def load(path: Path) -> Any:
    """A YAML file's tree."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)


class Params:
    """A stage's declared leaves by dotted name; reading any other raises KeyError, so the cache key stays honest."""

    def __init__(self, stage: str, leaves: Mapping[str, Any]) -> None:
        self.stage = stage
        self.leaves = dict(leaves)

    def __getitem__(self, name: str) -> Any:
        if name not in self.leaves:
            raise KeyError(f"{self.stage} reads {name}, which dvc.yaml does not declare for it")
        return self.leaves[name]

    def row(self, prefix: str) -> dict[str, Any]:
        """The declared leaves under ``prefix`` as a nested dict."""
        tree: dict[str, Any] = {}
        for name, value in self.leaves.items():
            if name.startswith(f"{prefix}."):
                *path, leaf = name.removeprefix(f"{prefix}.").split(".")
                node = tree
                for step in path:
                    node = node.setdefault(step, {})
                node[leaf] = value
        if not tree:
            raise KeyError(f"{self.stage} reads {prefix}, of which dvc.yaml declares nothing for it")
        return tree


def declared(stage: str, key: str | None = None, root: Path = Path()) -> Params:
    """Read ``root/params.yaml`` as dvc.yaml's ``stage`` (``stage@key`` where it is a foreach) declares it.

    Where it is a foreach, no key asks for what all its rows share.
    DVC itself is not imported: it costs a second, and the GPU machine has none.

    Raises Refusal for a key that params.yaml lacks, a missing leaf, or a leaf of the row that no stage declares, which
    is a slip of the pen.
    """
    stages = load(root / "dvc.yaml")["stages"]
    tree = load(root / "params.yaml")
    body = stages[stage]
    if "foreach" in body and key is None:
        body = body["do"]
    elif "foreach" in body:
        group = body["foreach"].strip("${}")
        if key not in (tree.get(group) or {}):
            raise Refusal(f"no row {key!r} in params.yaml under {group}: it has {', '.join(tree.get(group) or {})}")
        body = body["do"]
        _refuse_strangers(stages, tree, group, str(key))
    names = [name.replace("${key}", str(key)) for name in body.get("params", [])]
    address = f"{stage}@{key}" if key else stage
    return Params(address, {name: _leaf(tree, name) for name in names})


def _leaf(tree: Any, name: str) -> Any:
    node = tree
    for step in name.split("."):
        if not isinstance(node, dict) or step not in node:
            raise Refusal(f"params.yaml lacks {name}" + _nearest(step, node))
        node = node[step]
    return node


def _refuse_strangers(stages: Mapping[str, Any], tree: Any, group: str, key: str) -> None:
    known = set(_fields(stages, group))
    for name in _leaves(tree[group][key]):
        if not any(name == field or name.startswith(f"{field}.") for field in known):
            raise Refusal(f"params.yaml: {group}.{key} has no field {name!r}" + _nearest(name, known))


def _fields(stages: Mapping[str, Any], group: str) -> Iterator[str]:
    """Every field of a ``group`` row that some stage declares or uses in its template."""
    for body in stages.values():
        if body.get("foreach") == f"${{{group}}}":
            prefix = f"{group}.${{key}}."
            yield from (name.removeprefix(prefix) for name in body["do"].get("params", []) if name.startswith(prefix))
            yield from re.findall(r"\$\{item\.([\w.]+)\}", str(body["do"]))


def _leaves(node: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(node, dict) and node:
        for name, child in node.items():
            yield from _leaves(child, f"{prefix}{name}.")
    else:
        yield prefix.removesuffix(".")


def _nearest(name: str, known: Any) -> str:
    close = get_close_matches(name, list(known) if known else [], n=1)
    return f": did you mean {close[0]!r}?" if close else ""
