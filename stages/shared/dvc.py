"""dvc.yaml, params.yaml and dvc.lock, read for stages and commands; nothing else of ours reads them.

DVC itself is not imported: it costs a second, and the GPU machine has none.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.fields import canonical, flat, nearest
from pipeline.core.types import Refusal

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where libyaml is
PUBLISH = "publish"
TEMPLATE = re.compile(r"\$\{\s*([\w.-]+)\s*\}")
WORD = re.compile(r"\w[\w-]*")  # no shell takes it for anything else, and no command for an option
LAUNCH = re.compile(r"[\w./:=,@-]+( [\w./:=,@-]+)*")


CONFLICT = re.compile(rb"^(<{7}|>{7})( |$)", re.MULTILINE)
REMEDIES = {
    "dvc.lock": "git checkout --ours dvc.lock (or --theirs), then fcn run",
    "params.yaml": "choose a side in it, or write it anew with python -m ops.compose",
}


def find_root(folder: Path) -> Path:
    """The clone that ``folder`` lies in, found as DVC finds it: by its .dvc; ``folder`` where there is none."""
    return next((each for each in (folder, *folder.parents) if (each / ".dvc").is_dir()), folder)


def load(path: Path) -> Any:
    """A YAML file's tree. Raises Refusal where there is no such file, and where it is none or a merge left it open."""
    try:
        return parsed(path.read_bytes(), path)
    except FileNotFoundError:
        raise Refusal(f"no {path}: go to the clone's folder") from None
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}") from None


def parsed(text: bytes, path: Path) -> Any:
    """``text`` of ``path``, at any revision. Raises Refusal as ``load``."""
    if CONFLICT.search(text):
        raise Refusal(f"{path} has a merge conflict: {REMEDIES.get(path.name, 'choose a side in it')}")
    try:
        return yaml.load(text, Loader=LOADER)
    except (yaml.YAMLError, ValueError) as error:
        raise Refusal(f"{path} cannot be read ({' '.join(str(error).split())}): restore it from git") from None


def refuse_conflicts(root: Path) -> None:
    """Raise Refusal where a merge left one of the four open: what DVC says of it has no remedy."""
    for path in (root / name for name in ("dvc.yaml", "params.yaml", "dvc.lock", ".dvc/config")):
        if path.is_file() and CONFLICT.search(path.read_bytes()):
            load(path)


def _stages(tree: Any, path: Path) -> dict[str, Any]:
    """The stages of a dvc.yaml or a dvc.lock. Raises Refusal for any other tree."""
    rows = (tree.get("stages") if isinstance(tree, Mapping) else tree) or {}
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise Refusal(f"{path} has no stages: restore it from git")
    return rows


@dataclass(frozen=True)
class Stage:
    """A stage of dvc.yaml, its templates filled in: ``train@voc-fcn8s`` is the row ``voc-fcn8s`` of a foreach."""

    address: str
    desc: str
    cmd: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]


def stages(root: Path) -> dict[str, Stage]:
    """dvc.yaml's stages by address, in its order. Raises Refusal for a matrix, and for a foreach over no map."""
    params, found = load(root / "params.yaml"), {}
    for name, body in _stages(load(root / "dvc.yaml"), root / "dvc.yaml").items():
        if "matrix" in body:
            raise Refusal(f"dvc.yaml: {name} is a matrix, which is not read here: write it as a foreach over a map")
        group = _group(body)
        keys = _rows(group, _at(params, group, f"dvc.yaml: {name} is a foreach")) if group else [""]
        for address in (f"{name}@{key}" if key else name for key in keys):
            found[address] = _stage(address, body.get("do", body), params, group)
    return found


def stage(address: str, root: Path = Path()) -> Stage:
    """One stage, or the one of the same body that has its key. Raises Refusal for a key that params.yaml lacks."""
    name, _, key = address.partition("@")
    params, found = load(root / "params.yaml"), _stages(load(root / "dvc.yaml"), root / "dvc.yaml")
    body = found[name].get("do", found[name])
    groups = [_group(each) for each in found.values() if each.get("do", each) is body]  # describe, describe-folder
    group = next((each for each in groups if key in (params.get(each) or {})), _group(found[name]))
    if key and key not in (rows := _rows(group, params.get(group) or {})):
        hint = nearest(key, rows).strip() or f"it has {', '.join(rows) or 'none'}"
        raise Refusal(f"no row {key!r} in params.yaml under {group}: {hint}")
    return _stage(address, body, params, group)


def _group(body: Mapping[str, Any]) -> str:
    return str(body.get("foreach", "")).strip("${} ")


def _rows(group: str, rows: Any) -> Mapping[str, Any]:
    """Raises Refusal for keys that are no plain words: they reach command lines."""
    if not isinstance(rows, Mapping):
        raise Refusal(f"params.yaml: {group} is {rows!r}: write a map")
    for key in rows:
        if not isinstance(key, str) or not WORD.fullmatch(key):
            remedy = "name it by letters, digits, _ and - alone" if isinstance(key, str) else "put its name in quotes"
            raise Refusal(f"params.yaml: {group} has a row {key!r}: {remedy}")
    return rows


def _stage(address: str, body: Mapping[str, Any], params: Any, group: str) -> Stage:
    key = address.partition("@")[2]

    def value(name: str) -> str:
        full = re.sub(r"^item\b", f"{group}.{key}", name)
        return key if name == "key" else str(_at(params, full, f"dvc.yaml: {address} uses ${{{name}}}"))

    def fill(text: str) -> str:
        return TEMPLATE.sub(lambda found: value(found[1]), text)

    def paths(*kinds: str) -> tuple[str, ...]:
        rows = (row for kind in kinds for row in body.get(kind) or ())
        return tuple(fill(row if isinstance(row, str) else next(iter(row))) for row in rows)

    for name in TEMPLATE.findall(str(body["cmd"])):
        if not (LAUNCH if name == "runtime.launch" else WORD).fullmatch(value(name)):
            text = f"params.yaml: {name} of {address} is {value(name)!r}, which a shell would read"
            raise Refusal(f"{text}: write letters, digits, _ and - alone")
    return Stage(
        address,
        desc=fill(body.get("desc", "")),
        cmd=fill(str(body["cmd"])),
        deps=paths("deps"),
        params=paths("params"),
        outs=paths("outs", "metrics", "plots"),
    )


class Params:
    """What dvc.yaml declares of params.yaml for a stage; reading more raises KeyError: the cache key stays honest."""

    def __init__(self, stage: str, tree: Mapping[str, Any]) -> None:
        self.stage = stage
        self.tree = tree

    def __getitem__(self, name: str) -> Any:
        """A value, or what is declared of a group: ``params["recipes.voc-fcn8s.solver"]["lr"]``."""
        node: Any = self.tree
        for step in name.split("."):
            if not isinstance(node, Mapping) or step not in node:
                raise KeyError(f"{self.stage} reads {name}, which dvc.yaml does not declare for it")
            node = node[step]
        return node

    @property
    def leaves(self) -> dict[str, Any]:
        """Every value by its dotted name."""
        return flat(self.tree)


def declared(address: str, root: Path = Path()) -> Params:
    """What the stage at ``address`` may read of ``root/params.yaml``. Raises Refusal for what params.yaml lacks."""
    tree: dict[str, Any] = {}
    params = load(root / "params.yaml")
    for name in stage(address, root).params:
        *groups, leaf = name.split(".")
        node = tree
        for group in groups:
            node = node.setdefault(group, {})
        node[leaf] = _at(params, name, f"dvc.yaml: {address} reads {name}")
    return Params(address, tree)


def _at(tree: Any, name: str, who: str) -> Any:
    node = tree
    for step in name.split("."):
        if not isinstance(node, Mapping) or step not in node:
            hint = nearest(step, node if isinstance(node, Mapping) else ()).strip()
            raise Refusal(f"{who}, but params.yaml lacks {name}" + (f": {hint}" if hint else ""))
        node = node[step]
    return node


@dataclass(frozen=True)
class Entry:
    """One stage's entry in dvc.lock: its command, the hashes of what it read and wrote by path, its params by name.

    ``desc`` is what dvc.yaml says that it does.
    """

    stage: str
    cmd: str
    deps: Mapping[str, str]
    outs: Mapping[str, str]
    params: Mapping[str, str]
    desc: str = ""

    @property
    def key(self) -> str:
        """The foreach key (``voc-fcn8s`` of ``train@voc-fcn8s``), empty for a plain stage."""
        return self.stage.partition("@")[2]

    @property
    def inputs(self) -> str:
        """The stage's fingerprint: digest of everything that may decide the outputs' bytes."""
        return digest([self.cmd, self.deps, self.params, sorted(self.outs)])

    @property
    def outputs(self) -> str:
        return digest(self.outs)


def entries(root: Path) -> dict[str, Entry]:
    """dvc.lock's entries of the stages that dvc.yaml has now, in its order; publish itself is left out.

    dvc.lock also remembers stages of another scale: they are no part of this pipeline. A stage that never ran has no
    entry. Raises Refusal when there is no dvc.lock, or it has none of the stages.
    """
    if not (root / "dvc.lock").is_file():
        raise Refusal(f"no {root / 'dvc.lock'}: run `dvc repro`")
    locked = locked_stages((root / "dvc.lock").read_bytes())
    known = stages(root).values()
    found = {each.address: _entry(each, locked[each.address]) for each in known if each.address in locked}
    found.pop(PUBLISH, None)
    if not found:
        raise Refusal(f"{root / 'dvc.lock'} has no entry of any stage in dvc.yaml: run `dvc repro`")
    return found


def locked_stages(text: bytes) -> dict[str, Any]:
    """The rows of a dvc.lock's text, of any revision. Raises Refusal for what is none."""
    return _stages(parsed(text, Path("dvc.lock")), Path("dvc.lock"))


def pipeline(found: Iterable[Entry]) -> str:
    """The digest of all of ``found`` together: MLflow's parent run and the tag ``pipeline.…`` of its runs bear it."""
    return digest([[entry.stage, entry.inputs, entry.outs] for entry in found])


def upstream(entry: Entry, found: Mapping[str, Entry]) -> list[Entry]:
    """The entries whose outputs ``entry`` reads, directly."""
    others = [other for other in found.values() if other.stage != entry.stage]
    return [other for other in others if any(overlap(dep, out) for dep in entry.deps for out in other.outs)]


def overlap(dep: str, out: str) -> bool:
    """Whether one path is the other or lies in it."""
    return dep == out or dep.startswith(f"{out}/") or out.startswith(f"{dep}/")


def digest(document: Any) -> str:
    """64 hex digits; equal for equal documents."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _entry(known: Stage, row: Mapping[str, Any]) -> Entry:
    leaves = [item for group in (row.get("params") or {}).values() for item in flat(group).items()]
    params = {name: canonical(value) for name, value in leaves}
    return Entry(known.address, str(row["cmd"]), _hashes(row.get("deps")), _hashes(row.get("outs")), params, known.desc)


def _hashes(rows: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    return {row["path"]: str(row.get(row.get("hash", "md5"), "")) for row in rows or ()}
