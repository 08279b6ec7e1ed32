"""Foretide beside HPA and KEDA on a real cluster: `python -m bench.live --help`."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from bench.live import lanes, predict, slower
from bench.live.lanes import Lane
from bench.live.loads import Load, loads
from bench.live.outcome import Run
from bench.live.page import lines, write
from bench.live.peers.install import installed, scraped
from bench.live.peers.programs import build
from bench.live.systems import FORETIDE, queue_of, systems
from bench.live.together import AT_ONCE, RPS_PER_LANE, perform
from bench.places import FOLDER, PAGES
from bench.scaling.console import FAILED, NOTHING_IS_WRITTEN, ended
from e2e.cluster import connect
from e2e.cluster.artefacts import key_of
from e2e.cluster.images import IMAGES
from e2e.cluster.progress import Progress
from e2e.cluster.target import image
from e2e.scenarios.api import Api
from e2e.scenarios.operator import Operator
from e2e.scenarios.settings import DEFAULTS
from e2e.scenarios.tenant import leftovers
from e2e.scenarios.waiting import until
from foretide.simulate.command.progress import spoken
from foretide.simulate.compile import compile_all

RUNS_ARE_KEPT: Final = "the finished runs are kept, the same command goes on from there"
MOVE_OUT_SECONDS: Final = 180.0
MOST_LANES: Final = 64  # a node of the cluster has 250 addresses for pods


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all runs are there, 1 when some failed; 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.live",
        description="Runs Foretide, HPA (with prometheus-adapter) and KEDA on the embedded cluster, real controllers "
        "over real Triton pods, under pieces of real traces. Stopped, it goes on where it was. Writes "
        "build/bench/live.json, docs/benchmarks/live.md and its charts; two and a half hours.",
    )
    parser.add_argument("--quick", action="store_true", help="two crowds, three systems: 15 min, no pages")
    parser.add_argument("--only", default="", help="loads whose name contains this, e.g. flash; writes no pages")
    parser.add_argument(
        "--days", action="store_true", help="that alone: the day told slower, simulated, 4 min, no cluster"
    )
    parser.add_argument(
        "--lanes",
        type=int,
        default=AT_ONCE,
        help=f"most services at once, 1 to {MOST_LANES}, with {RPS_PER_LANE:g} requests/s for each (default: "
        "%(default)s, for two processors): fewer where runs fail because requests were sent late",
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of live.json (default: %(default)s)")
    parser.add_argument("--runs", type=Path, help="folder of the finished runs (default: live in the folder of --out)")
    parser.add_argument("--pages", type=Path, default=PAGES, help="folder of the page (default: %(default)s)")
    given = parser.parse_args(arguments)
    if not 1 <= given.lanes <= MOST_LANES:
        parser.error(f"--lanes must be from 1 to {MOST_LANES}, not {given.lanes}")
    if given.days:
        return ended(_days, interrupted=NOTHING_IS_WRITTEN)
    wanted = tuple(load for load in loads(quick=given.quick) if given.only in load.key)
    if not wanted:
        parser.error(f"--only {given.only!r} matches none of {', '.join(one.key for one in loads(quick=given.quick))}")
    return ended(lambda: _run(given, wanted), interrupted=RUNS_ARE_KEPT)


def _days() -> int:
    compile_all()
    for line in slower.lines(slower.days()):
        print(line, flush=True)
    return 0


def _run(given: argparse.Namespace, chosen: Sequence[Load]) -> int:
    began = time.monotonic()
    compile_all()
    name = "live-quick" if given.quick else "live"
    store = given.runs or given.out / name
    for folder in (given.out, store):
        folder.mkdir(parents=True, exist_ok=True)
    wanted = [Lane(load, system) for load in chosen for system in systems(load, quick=given.quick)]
    missing = [lane for lane in wanted if not _file(store, lane).exists()]
    # Foretide first: all of its runs are there after three quarters of an hour.
    todo = sorted(missing, key=lambda lane: lane.system != FORETIDE)
    if todo and (failed := _perform(todo, store, at_once=given.lanes)):
        print(f"{failed} of {len(todo)} runs failed: the same command tries them again", file=sys.stderr)
        return FAILED
    rows = [_row(store, lane) for lane in wanted]
    (given.out / f"{name}.json").write_text(json.dumps({"runs": rows}, indent=1) + "\n")
    print(*lines(rows), sep="\n")
    if not (given.quick or given.only):
        print("the page, with the day told slower, takes some minutes", flush=True)
        write(rows, slower.days(), given.pages)
    sys.stdout.write(f"{len(rows)} runs, {spoken(time.monotonic() - began)}\n")
    return 0


def _perform(todo: Sequence[Lane], store: Path, *, at_once: int) -> int:
    """How many failed."""
    progress = Progress()
    cluster = connect(progress=progress)
    api = Api(cluster)
    operator = Operator(cluster, api, image=image("operator"), image_key=IMAGES["operator"].key(Path()))
    for tenant in leftovers(cluster, api):
        tenant.move_out()
    operator.install(DEFAULTS)
    with installed(cluster, api, build(progress)), scraped(cluster, api):
        try:
            run = partial(lanes.run, cluster, api)
            keep = partial(_keep, store, at_once=at_once)
            failed = perform(todo, run, keep=keep, say=progress.say, at_once=at_once)
        finally:
            # KEDA must see its objects go: it has a finalizer on each.
            until("all runs have moved out", lambda: not leftovers(cluster, api), within_seconds=MOVE_OUT_SECONDS)
    api.close()
    return failed


def _keep(store: Path, run: Run, *, at_once: int) -> None:
    file = _file(store, Lane(run.load, run.system))
    unfinished = file.with_suffix(".partial")
    unfinished.write_text(json.dumps({**run.row(), "at_once": at_once}))
    unfinished.replace(file)


def _row(store: Path, lane: Lane) -> dict[str, Any]:
    """Of a run that is kept, with what the simulator says of it."""
    row = json.loads(_file(store, lane).read_text())
    return {**row, **predict.columns(lane.system, lane.load, row["started_in_seconds"])}


def _file(store: Path, lane: Lane) -> Path:
    """Of a run that is kept: another load, model or queue is another run; so is one of other pods, or another
    operator."""
    load, system = lane.load, lane.system
    made_of = repr((load, load.service(queue_of(system, load)).limits))
    made_by = _operator_key() if system == FORETIDE else json.dumps(lanes.peer_objects(system, load, namespace="live"))
    return store / f"{lane.name}-{hashlib.sha256((made_of + made_by).encode()).hexdigest()[:8]}.json"


@cache
def _operator_key() -> str:
    """Of the files that its image and its chart are made of, and its values here."""
    return key_of(IMAGES["operator"].key(Path()), Path("charts"), repr(DEFAULTS))


if __name__ == "__main__":
    sys.exit(main())
