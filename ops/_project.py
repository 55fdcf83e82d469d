"""DVC's view of the project, for `fcn run` and `fcn plan`."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc.config import ConfigError
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.scm import SCMError

from pipeline.core.fields import nearest
from pipeline.core.types import Refusal
from stages.shared.dvc import refuse_conflicts, stages


@contextmanager
def opened(root: Path, targets: Sequence[str] = ()) -> Iterator[Repo]:
    """DVC's repository. What DVC or git refuses is a Refusal; one of ``targets`` that is no stage gets a near name."""
    refuse_conflicts(root)
    logging.getLogger("dvc").setLevel(logging.WARNING)  # a line for each stage that did not change, otherwise
    try:
        with Repo(str(root)) as repo:
            try:
                yield repo
            except DvcException as error:
                raise Refusal(_unknown(repo, targets, str(error)) or one_line(error)) from None
    except ConfigError as error:
        raise Refusal(f"{one_line(error)}: correct .dvc/config") from None
    except NotDvcRepoError as error:
        raise Refusal(f"{error}: go to the clone's folder") from None
    except SCMError as error:
        raise Refusal(f"{one_line(error)}: git clone the project (a zip file has no .git), or git init") from None


def ordered(repo: Repo, targets: Sequence[str]) -> list[Any]:
    """What DVC would walk for ``targets``, or for all of dvc.yaml, in its order: the very stages of the index."""
    if Path(repo.root_dir, "params.yaml").is_file():
        stages(Path(repo.root_dir))  # refuses names that a shell would read
    known = {stage: stage for stage in repo.index.stages}
    chosen = collect_stages(repo, targets) if targets else list(known)
    return [known[stage] for stage in plan_repro(get_active_graph(repo.index.graph), chosen)]


def one_line(error: Exception) -> str:
    """What DVC says in several lines."""
    return " ".join(str(error).split())


def _unknown(repo: Repo, targets: Sequence[str], error: str) -> str:
    """Of a target that ``error`` is about and that is no stage: which name is near to it."""
    try:
        names = [stage.addressing for stage in repo.index.stages if stage.cmd]
    except DvcException:
        return ""  # that is the error
    groups = list(dict.fromkeys(name.partition("@")[0] for name in names))
    for target in targets:
        if names and target not in {*names, *groups} and repr(target) in error:
            hint = nearest(target, [*names, *groups]).strip() or f"there are {', '.join(groups)}"
            return f"no stage {target}: {hint}"
    return ""
