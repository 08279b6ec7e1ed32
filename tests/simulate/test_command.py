"""`python -m foretide.simulate`: files in, a file and a table out, and a sentence where something is wrong."""

from __future__ import annotations

import gzip
import json
import os
import signal
from dataclasses import replace
from multiprocessing import Pipe, current_process
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from foretide.simulate.__main__ import start
from foretide.simulate.command import main as command
from foretide.simulate.command.main import main
from foretide.simulate.command.processes import Failed, WorkerLost, _work, _Worker, perform_all
from foretide.simulate.command.results import pending
from foretide.simulate.command.work import Task, tasks
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.optimum import zero_violation
from foretide.simulate.policies import listed
from tests.simulate.loads import loads, waves

SERVICE = ["--slo", "250ms", "--batch-time", "10ms,40ms,8", "--cold-start", "45s", "--size", "2", "--workers", "1"]

pytestmark = pytest.mark.usefixtures("known_rate")


@pytest.fixture
def load(tmp_path: Path) -> Path:
    """Two series and one without any request."""
    file = tmp_path / "load.csv"
    time = np.arange(50)
    rows = zip(60 * time, 100 + 80 * np.sin(time / 4), 100 + 80 * np.sin(time / 5), strict=True)
    file.write_text("t_s,a,b,idle\n" + "".join(f"{second},{a:.3f},{b:.3f},0\n" for second, a, b in rows))
    return file


def run_arguments(load: Path, out: Path, *more: str, seeds: int = 1, policy: str = "hpa") -> list[str]:
    options = ["--policy", policy, "--seeds", str(seeds), "--out", str(out)]
    return ["run", "--trace", str(load), *SERVICE, *options, *more]


def runs_of(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(file.read_text())["runs"]
    return found


def test_a_run_leaves_all_that_figures_are_made_of(load: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    assert main(run_arguments(load, out, "--knob", "target=0.6", seeds=2)) == 0
    runs = runs_of(out)
    assert [(run["series"], run["seed"]) for run in runs] == [
        (f"load/{name}", seed) for name in "ab" for seed in (1, 2)
    ]
    run = runs[0]
    assert (run["policy"], run["knob"], run["queue"], run["fidelity"]) == (
        "hpa",
        {"target": 0.6},
        "default",
        "arrivals",
    )
    assert (run["cold_start_seconds"], run["slo_seconds"], run["objective"], run["size"]) == (45.0, 0.25, 0.99, 2)
    timeline = run["timeline"]
    assert (timeline["step_seconds"], timeline["start_seconds"]) == (15.0, 1_800.0)
    for name in ("arrivals", "violations", "failures", "ready", "starting", "desired"):
        assert len(timeline[name]) == 20 * 4, "twenty minutes are judged"
    assert sum(timeline["arrivals"]) == run["requests"] > 0
    assert sum(timeline["violations"]) == run["violations"]
    assert sum(timeline["failures"]) == run["failures"]
    assert run["latency_seconds"]["p50"] < run["latency_seconds"]["p95"] < run["latency_seconds"]["p99"]
    paid = sum(timeline["ready"]) + sum(timeline["starting"])
    assert run["replica_hours"] == pytest.approx(paid * 15.0 / 3600.0, rel=0.05)
    needed = loads_of_the_file(load)
    best = zero_violation(needed, step_seconds=60.0, cold_start_seconds=45.0)
    assert run["optimum_replica_hours"] == pytest.approx(best.replica_seconds / 3600.0)


def loads_of_the_file(load: Path) -> Any:
    """Replicas that series a needs, from the file itself."""
    counts = np.loadtxt(load, delimiter=",", skiprows=1)[:, 1]
    return np.ceil(counts[30:] / np.sort(counts)[-1] * 2 - 1e-9).astype(np.int64)


def test_series_without_a_request_are_left_out_and_said(load: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "r.json"
    assert main(run_arguments(load, out, "--series", "idle", "load/a", policy="static")) == 0
    assert {run["series"] for run in runs_of(out)} == {"load/a"}
    assert "load/idle is left out: it has no request" in capsys.readouterr().err


def test_a_folder_of_unknown_files_runs(tmp_path: Path) -> None:
    """Other steps, lengths, names and scales; one is packed; one is no trace by its name."""
    folder = tmp_path / "traces"
    folder.mkdir()
    (folder / "notes.txt").write_text("not a trace")
    (folder / "seven.csv").write_text("visits,t_s\n" + "".join(f"{1e6 + n},{7 * n}\n" for n in range(90)))
    (folder / "odd.csv").write_text("t_s,ümläut x\n" + "".join(f"{4.2857 * n},{n % 5}\n" for n in range(150)))
    hours = "t_s,q\n" + "".join(f"{3600 * n},{3 + n % 2}\n" for n in range(3))
    (folder / "hours.csv.gz").write_bytes(gzip.compress(hours.encode()))
    out = tmp_path / "r.json"
    assert main(run_arguments(folder, out, policy="foretide")) == 0
    assert [run["series"] for run in runs_of(out)] == ["hours/q", "odd/ümläut x", "seven/visits"]
    assert all(run["requests"] > 0 for run in runs_of(out))


def test_a_packed_result_is_the_same_bytes_each_time(load: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one.json.gz", "two.json.gz", "plain.json")]
    for file in files:
        assert main(run_arguments(load, file, "--series", "a", policy="static")) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    assert gzip.decompress(files[0].read_bytes()) == files[2].read_bytes()


def test_compare_has_one_row_a_series_and_policy_and_their_means(load: Path, tmp_path: Path, capsys: Any) -> None:
    one, two = tmp_path / "1.json", tmp_path / "2.json.gz"
    assert main(run_arguments(load, one, seeds=2)) == 0
    assert main(run_arguments(load, two, "--queue", "slo", policy="static")) == 0
    capsys.readouterr()
    assert main(["compare", str(one), str(two)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:3] == ["series", "policy", "queue"]
    assert [line[:2] for line in lines[1:]] == [
        ["load/a", "hpa"],
        ["load/a", "static"],
        ["load/b", "hpa"],
        ["load/b", "static"],
        ["(mean)", "hpa"],
        ["(mean)", "static"],
    ]
    runs = [run for run in runs_of(one) if run["series"] == "load/a"]
    violations = sum(run["violations"] for run in runs) / sum(run["requests"] for run in runs)
    cost = sum(run["replica_hours"] for run in runs) / sum(run["optimum_replica_hours"] for run in runs)
    assert f"{100 * violations:.3f}" in lines[1]
    assert f"{cost:.3f}" in lines[1]
    assert "2" in lines[1], "seeds"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--policy", "hpa2"], "--policy: \"hpa2\" is refused: there is no policy 'hpa2'; there are static, scheduled"),
        (["--knob", "aim=1"], "hpa has no knob 'aim'; its knobs are target; name one of them"),
        (["--knob", "target=0"], '--knob: "target=0" is refused: target must be within (0, 1000000000.0], not 0.0;'),
        (["--slo", "quick"], '--slo: "quick" must be a duration'),
        (["--size", "0"], '--size: "0" must be a whole number from 1 to 500'),
        (["--series", "c*"], '--series: "c*" matches no series; there are load/a, load/b, load/idle'),
        (["--series", "idle"], '--trace: "load" has no request; name another trace'),
        (["--window", "9h,10h"], "cannot be judged: nothing of load is judged: it has 3000 s"),
        (
            ["--routing", "nearest"],
            "argument --routing: invalid choice: 'nearest' (choose from 'random', ",
        ),
        (
            ["--arrival-cv", "2", "--fidelity", "fluid"],
            '--arrival-cv: "2" needs every request: the fluid\'s arrivals are Poisson; leave out --fidelity fluid',
        ),
        (
            ["--routing", "round-robin", "--fidelity", "fluid"],
            '--routing: "round-robin" needs every request: the fluid routes at random; leave out --fidelity fluid',
        ),
        (["--provisioning", "90s"], '--provisioning: "90s" needs --warm; say how many'),
        (["--outage", "20m,1m"], '--outage: "20m,1m" begins when all is over: load is judged for 20m; let it begin'),
        (["--lost-scrapes", "101"], '--lost-scrapes: "101" must be a number from 0 to 100'),
        (["--crashes-per-hour", "-1"], '--crashes-per-hour: "-1" must be a number from 0 to 3600'),
        (["--queue", "long"], "argument --queue: invalid choice: 'long'"),
        (["--batch-time", "10ms,40ms,8", "--frobnicate"], "unrecognized arguments: --frobnicate"),
        (["--out", "/nowhere/r.json"], '--out: "/nowhere/r.json" cannot be written (No such file or directory)'),
        (["--trace", "/nowhere.csv"], "/nowhere.csv: cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_input_is_one_sentence_and_status_2(
    load: Path, tmp_path: Path, capsys: Any, more: list[str], words: str
) -> None:
    assert main(run_arguments(load, tmp_path / "r.json", *more)) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert words in said
    assert sorted(tmp_path.iterdir()) == [load], "nothing is left behind"


def test_an_slo_that_no_rate_keeps_is_refused(
    load: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert main(run_arguments(load, tmp_path / "r.json", "--slo", "50ms")) == 2
    assert (
        "one request alone takes 51.2 ms; give a longer one, a lower --objective or a faster model"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", 'has no list "runs"'),
        ('{"runs": [{"policy": "hpa"}]}', "has no usable 'knob' in run 0"),
    ],
)
def test_a_file_that_is_no_result_is_refused(tmp_path: Path, capsys: Any, text: str, words: str) -> None:
    file = tmp_path / "r.json"
    file.write_text(text)
    assert main(["compare", str(file)]) == 2
    assert words in capsys.readouterr().err


def test_the_same_result_twice_is_refused(load: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "r.json"
    assert main(run_arguments(load, out, "--series", "a", policy="static")) == 0
    assert main(["compare", str(out), str(out)]) == 2
    assert "static on load/a with seed 1" in capsys.readouterr().err


def test_after_ctrl_c_nothing_is_there_and_what_was_there_stays(
    load: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "perform_all", interrupted)
    out = tmp_path / "r.json"
    out.write_text("the last one")
    assert main(run_arguments(load, out)) == 130
    assert sorted(tmp_path.iterdir()) == [load, out]
    assert out.read_text() == "the last one"
    assert "interrupted: nothing is written" in capsys.readouterr().err


def test_a_command_that_is_terminated_leaves_nothing_either(
    load: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(command, "perform_all", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr("sys.argv", ["simulate", *run_arguments(load, tmp_path / "r.json")])
    try:
        assert start() == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    assert sorted(tmp_path.iterdir()) == [load]


def test_a_result_has_the_rights_of_any_file_of_its_owner(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    with pending("--out", tmp_path / "r.json") as result:
        result.write([])
    assert (tmp_path / "r.json").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_help_teaches_with_an_example_and_the_knobs(capsys: Any) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "run --trace load.csv --policy hpa --knob target=0.6" in text
    assert "target_utilisation=0.7: share of the saturation of a replica" in text


def some_tasks(policy: str, *, rows: int = 2) -> tuple[Task, ...]:
    return tasks(loads(waves(rows=rows), seeds=(1, 2, 3)), listed(policy), {})


@pytest.mark.parametrize("fidelity", Fidelity)
def test_any_number_of_processes_gives_the_same_bits(fidelity: Fidelity) -> None:
    shares: list[float] = []
    some = [replace(task, fidelity=fidelity) for task in some_tasks("hpa")]
    one = perform_all(some, workers=1, report=lambda share: None)
    two = perform_all(some, workers=2, report=shares.append)
    assert one == two
    assert [(run["series"], run["seed"]) for run in two] == [
        (f"load/{name}", seed) for name in "ab" for seed in (1, 2, 3)
    ]
    assert shares[-1] == pytest.approx(1.0)
    assert len(shares) > 10


def test_tasks_are_small_and_do_not_depend_on_the_processes() -> None:
    assert [len(task.workloads) for task in some_tasks("hpa", rows=3)] == [3, 3, 3]


def test_services_that_share_a_quota_stay_together() -> None:
    found = some_tasks("faro-quota", rows=3)
    assert [{load.seed for load in task.workloads} for task in found] == [{1}, {2}, {3}]
    assert all(len(task.workloads) == 3 for task in found)


def test_what_a_process_raises_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)  # only the first thread may
    (task,) = some_tasks("static", rows=1)
    short = loads(waves(20))
    ours, theirs = Pipe()
    thread = Thread(target=_work, args=(theirs,))
    thread.start()
    ours.send(Task(workloads=(*task.workloads, *short), policy="static", knobs={}))
    failed = ours.recv()
    ours.close()
    thread.join()
    assert isinstance(failed, Failed)
    assert "all lanes of a run must be of one length" in failed.text


def test_a_process_that_is_gone_is_told_and_not_waited_for() -> None:
    ours, theirs = Pipe()
    worker = _Worker(process=current_process(), line=ours, task=0)
    theirs.close()
    with pytest.raises(WorkerLost, match="use fewer --workers"):
        worker.received()
    with pytest.raises(WorkerLost, match="use fewer --workers"):
        worker.take(0, some_tasks("static"))


def test_a_lost_process_is_status_1(load: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        raise WorkerLost("gone")

    monkeypatch.setattr(command, "perform_all", lost)
    assert main(run_arguments(load, tmp_path / "r.json")) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "gone"


def test_compare_keeps_apart_what_was_made_differently(load: Path, tmp_path: Path, capsys: Any) -> None:
    """Fluid and request by request, Poisson and bursty: rows of their own, with the column that tells them apart."""
    files = [tmp_path / f"{name}.json" for name in ("plain", "fluid", "bursty")]
    for file, more in zip(files, ([], ["--fidelity", "fluid"], ["--arrival-cv", "2"]), strict=True):
        assert main(run_arguments(load, file, "--series", "a", *more)) == 0
    assert runs_of(files[1])[0]["fidelity"] == "fluid"
    assert runs_of(files[1])[0]["latency_seconds"]["p99"] is None
    capsys.readouterr()
    assert main(["compare", *map(str, files)]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert "fidelity" in head
    assert "cv" in head.split()
    assert "batch time" not in head
    assert len(lines) == 3
    assert main(["compare", str(files[0]), str(files[0])]) == 2
    assert "is there twice" in capsys.readouterr().err
