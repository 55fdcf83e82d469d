"""A stage as MLflow sees it while it runs: its events go to a spool, which a process beside it brings to the server."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.live.live import Bands, Live
from pipeline.lock_file import is_locked
from pipeline.runtime.fingerprint import Fingerprint
from pipeline.runtime.observer import Observer
from pipeline.tracking import spool
from pipeline.tracking.commit import checked_out, origin
from pipeline.tracking.record import EVALUATIONS, dotted, keyless, read_scores, shortened
from stages.shared.dvc import digest, load, stage, stages

ALARMS = ".alarms"  # in the folder of spools: a file for each stage that raised one
MODES = ("live", "spool", "off")
DIGESTS = "data/digests"  # of files without a published one: `download` writes them, and they are committed


@contextmanager
def watched(
    fingerprint: Fingerprint, outs: Sequence[Path], *, say: Callable[[str], None], leads: bool = True
) -> Iterator[Observer | None]:
    """Yield the Observer of the stage with ``fingerprint``; when the block ends well, add the scores in ``outs``.

    $FCN_TRACKING is ``live`` (the default), ``spool``, where no process sends the events before ``fcn sync``, as where
    MLflow is not installed, or ``off``: None. $FCN_SPOOL names the folder. Processes that do not lead have None too.

    An alarm is a line on stderr and the tag ``alarm``. With $FCN_STRICT=1 no net starts to train after another's alarm.

    Raises Refusal for another $FCN_TRACKING, for such an alarm and for bands in conf/expect.yaml that are no numbers,
    and nothing else of its own: tracking never decides.
    """
    mode = os.environ.get("FCN_TRACKING", "live")
    if mode not in MODES:
        raise Refusal(f"FCN_TRACKING is {mode!r}: set it to {', '.join(MODES)}")
    if mode == "off" or not leads:
        yield None
        return
    spools = spool.place()
    alarm = spools / ALARMS / fingerprint.stage
    alarm.unlink(missing_ok=True)  # of an earlier attempt
    verb, _, key = fingerprint.stage.partition("@")
    if verb == "train":
        (spools / ALARMS / f"validate@{key}").unlink(missing_ok=True)  # it judged what is trained anew
        _refuse_after_alarm(spools / ALARMS)

    def warn(text: str) -> None:
        tqdm.write(f"warning: {fingerprint.stage}: {text}", file=sys.stderr)
        with suppress(OSError):  # a full disk is no reason to end
            alarm.parent.mkdir(parents=True, exist_ok=True)
            alarm.write_text(text, encoding="utf-8")

    events = spool.Spool(spools / fingerprint.stage / fingerprint.digest, say)
    events.begin(**_begin(fingerprint))
    if mode == "live":
        _start_follower(spools)
    try:
        yield Live(events, warn, expected(fingerprint.stage))
    except Exception as error:
        events.end(spool.FAILED, {"live.error": f"{type(error).__name__}: {error}"[:500]})
        raise
    except BaseException:
        events.end(spool.KILLED, {})
        raise
    for path in outs:
        if path.suffix == ".json" and path.parts[0] == EVALUATIONS:
            events.point(0, read_scores(path))
    tags = {}
    with suppress(Refusal, OSError):  # as its entry in dvc.lock will give it: by it `publish` finds the run
        tags = {"dvc.outputs": digest({out: md5(Path(out)) for out in stage(fingerprint.stage).outs})}
    events.end(spool.FINISHED, tags)


def expected(address: str, root: Path = Path()) -> Bands:
    """The bands of a stage's curves in conf/expect.yaml, by params.yaml's scale and its key; none where it has none.

    Raises Refusal for bands that are no numbers.
    """
    path, key = root / "conf/expect.yaml", address.partition("@")[2]
    if not path.is_file():  # as on a machine that only trains
        return {}
    rows = (load(path) or {}).get(load(root / "params.yaml").get("scale")) or {}
    try:
        curves = (rows.get(key) or {}).items()
        return {name: {int(step): float(least) for step, least in bands.items()} for name, bands in curves}
    except (AttributeError, TypeError, ValueError) as error:
        raise Refusal(f"{path}: {key} is not understood ({error}): write curve: {{iteration: least}}") from None


def validation(recipe: str, root: Path = Path()) -> Path | None:
    """The split that ``recipe`` shows its scores on while it trains; None where params.yaml's validations have none."""
    row = (load(root / "params.yaml").get("validations") or {}).get(recipe)
    return root / "data/shards" / row["shards"] / row["split"] if row else None


def _refuse_after_alarm(alarms: Path) -> None:
    if os.environ.get("FCN_STRICT", "0") in ("", "0"):
        return
    for alarm in sorted(alarms.glob("*")):
        text = alarm.read_text(encoding="utf-8")
        raise Refusal(f"FCN_STRICT is set and {alarm.name} raised an alarm ({text}): train it anew, or remove {alarm}")


def _start_follower(spools: Path) -> None:
    """Have a process follow the spools, if none does: one that meets another's lock ends at once.

    It has a session of its own: it outlives the stage by the seconds it takes to send the end, also after Ctrl-C.
    """
    if is_locked(spools / spool.FOLLOWER) or importlib.util.find_spec("mlflow") is None:
        return
    root = spool.clone(Path())  # a temporary workspace is gone before the end is sent
    command = [sys.executable, "-m", "pipeline.live.follow", str(root), str(spools)]
    with (spools / "follower.log").open("ab") as log:
        subprocess.Popen(command, cwd=root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _begin(fingerprint: Fingerprint) -> dict[str, dict[str, str]]:
    """What is known of the run when it begins, with keys and params as ``publish`` will have them."""
    name, commit = fingerprint.stage.partition("@")[2], checked_out(Path.cwd(), written())
    github, run = os.environ.get("GITHUB_REPOSITORY"), os.environ.get("GITHUB_RUN_ID")
    actions = f"{os.environ.get('GITHUB_SERVER_URL')}/{github}/actions/runs/{run}" if github and run else ""
    tags = {
        "dvc.key": name,
        "dvc.exp": os.environ.get("DVC_EXP_NAME", ""),
        "ci.url": os.environ.get("CI_JOB_URL", actions),
        **origin(commit, " ".join(sys.orig_argv[1:])),
    }
    params = {keyless(param, name): shortened(value) for param, value in dotted(fingerprint.params).items()}
    tags = {tag: value for tag, value in tags.items() if value}
    texts = {"fingerprint.json": json.dumps(fingerprint.to_json(), indent=1), **commit.texts}
    return {"tags": tags, "params": params, "texts": texts}


def written() -> set[str]:
    """What stages write, so that it makes no work tree dirty."""
    with suppress(Refusal):
        return {"dvc.lock", DIGESTS, *(out for stage in stages(Path()).values() for out in stage.outs)}
    return {"dvc.lock", DIGESTS}


def md5(path: Path) -> str:
    """Of a file or folder as dvc.lock will have it; DVC itself is not asked, for the GPU machine has none."""
    if path.is_dir():
        inside = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
        rows = [{"md5": md5(inside[name]), "relpath": name} for name in sorted(inside)]
        return hashlib.md5(json.dumps(rows).encode(), usedforsecurity=False).hexdigest() + ".dir"
    return files.digest(path, "md5")
