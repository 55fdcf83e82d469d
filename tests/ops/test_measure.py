"""``fcn time`` measures what the paper's Table 1 does, each net alone; ``fcn tune`` how other rates fare."""

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import mean, median

import psutil
import pytest
import torch
from PIL import Image

from ops import time as verb
from pipeline.core.types import Refusal
from pipeline.fcn.net import make
from pipeline.published.published import NETWORKS
from pipeline.timing import forward, page
from stages._live import md5
from tests.closure import ROOT
from tests.launch import fcn
from tests.ops.test_predict import trained
from tests.serving.world import spec
from tests.training.world import DIVERGING, configure, repository, shards

pytestmark = pytest.mark.usefixtures("flags")
ROW = re.compile(r" *(\S+e-\d\d)  +(?:(\d+\.\d{3})  +(\d\.\d{3})|diverged)  +\d+")
ON_GPU = (pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))
timed, tuned = partial(fcn, "time"), partial(fcn, "tune", "noise-fcn")


def work(side: int, repeats: int = 3, device: str = "cpu") -> forward.Work:
    shape = {"height": side, "width": side, "repeats": repeats}
    return forward.Work(name="thin", net=spec(stride=8), device=device, threads=1, **shape)


def test_every_trained_net_is_timed_alone_told_and_logged(
    tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.tracking.connect import connect

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FCN_TRACKING", "live")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(tables, tmp_path / "mlflow.db")
    for stride in (32, 8):
        trained(tmp_path, f"voc-fcn{stride}s", spec(stride=stride))
    done = timed("--size", "64x48", "--repeats", "4", code=0)
    heading, _, header, _, *rows, _, logged = done.stdout.splitlines()
    assert heading.startswith("Forward pass of one image of 64×48 px, 4 times; ")
    assert tuple(re.split(r" *\| *", header.strip("| "))) == page.HEADER
    assert [row.split()[1] for row in rows] == ["voc-fcn32s", "voc-fcn8s"]
    assert logged == "logged 2 runs: tags.`time.net`"
    told = json.loads((tmp_path / "times.json").read_text())
    assert (told["size"], told["repeats"], told["device"]) == ("64x48", 4, "cpu")
    client, experiment = connect(tmp_path)
    runs = {run.data.tags["time.net"]: run for run in client.search_runs([experiment])}
    assert runs.keys() == told["nets"].keys() == {"voc-fcn32s", "voc-fcn8s"}
    for name, run in runs.items():
        numbers = told["nets"][name]
        assert 0 < numbers["min_ms"] <= numbers["median_ms"]
        assert run.data.metrics["time/mean_ms"] == numbers["mean_ms"] >= numbers["min_ms"]
        assert run.data.metrics["time/peak_bytes"] == numbers["peak_bytes"] > 4 * numbers["parameters"]
        assert run.data.tags["weights"] == f"dvc:{md5(tmp_path / 'runs' / name / 'model.safetensors')}"
        assert run.data.tags["dvc.key"] == name and "dvc.stage" not in run.data.tags
        assert (run.data.params["size"], run.data.params["machine"]) == ("64x48", told["machine"])
        assert run.info.status == "FINISHED"


def test_a_server_that_is_away_costs_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = forward.measure(work(48))
    monkeypatch.setenv("FCN_TRACKING", "live")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    told = verb.log_runs(tmp_path, [found])
    assert told is not None and told.startswith("not logged: MLflow at http://127.0.0.1:9 does not answer (")
    for mode in ("off", "spool"):
        monkeypatch.setenv("FCN_TRACKING", mode)
        assert verb.log_runs(tmp_path, [found]) is None


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=ON_GPU)])
def test_numbers_are_those_of_the_passes_and_memory_grows_with_the_image(device: str) -> None:
    small, large = list(forward.each([work(64, 5, device), work(512, device=device)]))
    assert len(small.ms) == 5 and min(small.ms) > 0
    numbers = small.numbers()
    assert (numbers["mean_ms"], numbers["median_ms"]) == (mean(small.ms), median(small.ms))
    assert small.peak and large.peak and small.peak > 4 * small.parameters
    scores = 21 * 512**2 * 4  # bytes of what the larger net returns
    assert large.peak - small.peak > scores
    if device == "cpu":
        assert large.peak < 8 * scores, "not what the process held before"
        assert median(large.ms) > median(small.ms)


def test_what_cannot_be_timed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trained(tmp_path, "voc-fcn8s", spec())
    told = [
        (("--size", size), f"--size {size}: write pixels across x down, 32 or more each, such as 500x500")
        for size in ("500", "500x31", "1e3x50")
    ]
    huge = "9999999×9999999 px do not fit into memory, says torch of voc-fcn8s: choose a smaller size"
    told.append((("voc-fcn8s", "--size", "9999999x9999999"), huge))
    absent = f"no weights of voc-fcn9s in {tmp_path}/runs: train it, or name one that is (voc-fcn8s)"
    told.append((("voc-fcn9s",), absent))
    if not torch.cuda.is_available():
        wanted = "runtime.device is cuda but torch sees no GPU: set runtime.device to cpu"
        told.append((("voc-fcn8s", "--device", "cuda"), wanted))
    for arguments, reason in told:
        done = timed(*arguments)
        assert (done.exit_code, done.stderr) == (1, f"Error: {reason}\n")
    assert not (tmp_path / "times.json").exists()


def test_a_process_that_is_killed_names_its_net() -> None:
    list(forward.each([work(48)]))  # what children are forked from is there before
    endless = work(512, repeats=10**6)
    before = {process.pid for process in psutil.Process().children(recursive=True)}

    def kill() -> None:
        while True:
            time.sleep(0.2)
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if process.pid not in before and process.cpu_times().user > 0.3:
                        process.kill()
                        return

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(Refusal, match=r"^the process of thin was ended, for want of memory most likely: choose a"):
        list(forward.each([endless]))


def test_where_nothing_is_trained_the_papers_own_nets_are_timed(tmp_path: Path) -> None:
    assert verb.nets(tmp_path, (), False) == page.NETS
    for name, (_, _, millions, *_) in NETWORKS.items():
        with torch.device("meta"):
            net = make(page.NETS[name])
        assert round(sum(parameter.numel() for parameter in net.parameters()) / 1e6) == millions
    weights = trained(tmp_path, "voc-fcn8s", spec())
    assert verb.nets(tmp_path, (), False) == {"voc-fcn8s": weights}
    assert verb.nets(tmp_path, (), True) == page.NETS
    assert verb.nets(tmp_path, ("voc-fcn8s",), True) == {"voc-fcn8s": weights, **page.NETS}


def test_only_a_net_of_full_width_stands_beside_what_was_printed() -> None:
    names = ("FCN-AlexNet", "FCN-VGG16", "FCN-GoogLeNet", "FCN-8s", "FCN-16s")
    assert [page.printed(name, 1.0) for name in names] == ["50 ms", "210 ms", "59 ms", "~175 ms", None]
    recipes = ("voc-fcn-alexnet", "voc-fcn32s", "voc-fcn-googlenet", "voc-fcn8s", "voc-fcn16s")
    assert [page.printed(name, 1.0) for name in recipes] == ["50 ms", "210 ms", "59 ms", "~175 ms", None]
    assert page.printed("voc-fcn8s", 0.125) is None


def listing(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repository(tmp_path, iterations=12, lr=1e-6, crop=40))
    return tmp_path


@pytest.mark.parametrize("val", [True, False])
def test_a_row_for_each_rate_and_the_best_is_suggested(world: Path, val: bool) -> None:
    if val:
        shards(world / "data/shards/noise/val", [1])
    before = listing(world)
    said = tuned().stdout.splitlines()
    where = "6 images of data/shards/noise/val" if val else "1 images of data/shards/noise/train"
    assert said[0] == f"noise-fcn: 12 of 12 iterations at each rate, then {where}"
    rows = [ROW.fullmatch(line) for line in said[2:-1]]
    assert [row and row[1] for row in rows] == ["1.00e-07", "3.16e-07", "1.00e-06", "3.16e-06", "1.00e-05"]
    best = max((row for row in rows if row and row[3]), key=lambda row: (float(row[3]), -float(row[2])))
    assert said[-1].startswith(f"suggested: lr: {best[1]}")
    assert listing(world) == before


def test_a_rate_that_diverges_is_a_row(world: Path) -> None:
    configure(world, iterations=12, weight_decay=DIVERGING["weight_decay"])
    said = tuned("--rate", "1e-3", "--rate", "1e-40", "--plot", "losses.png").stdout.splitlines()
    assert "diverged" in said[2]
    assert "diverged" not in said[3]
    assert said[4] == "suggested: lr: 1.00e-40, the outermost: try --rate 3.16e-41 too"
    with Image.open(world / "losses.png") as picture:
        assert picture.width > 400
    assert tuned("--rate", "1e-3").stdout.endswith("every rate diverged: try --rate 1.00e-04\n")


@pytest.mark.parametrize("plot", ["losses.txt", "nowhere/losses.png"])
def test_refuses_a_picture_that_it_cannot_write_before_it_trains(world: Path, plot: str) -> None:
    done = tuned("--plot", plot)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: --plot {plot}: ")


def test_what_is_wrong_with_the_inputs_is_no_row(world: Path) -> None:
    (world / "weights/vgg16-fcn.safetensors").unlink()
    done = tuned()
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: no weights at weights/vgg16-fcn.safetensors")


def test_needs_neither_dvc_nor_mlflow(world: Path) -> None:
    code = "assert not {'dvc', 'mlflow', 'pandas'} & set(sys.modules)"
    script = f"import sys; from ops.fcn import main; main(sys.argv[1:], standalone_mode=False); {code}"
    command = [sys.executable, "-W", "error", "-c", script, "tune", "noise-fcn", "--rate", "1e-7"]
    subprocess.run(command, cwd=world, check=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})
