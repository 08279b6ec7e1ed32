"""Foretide beside HPA and KEDA on a real cluster: `python -m bench.live --help`."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.live import lanes, slower
from bench.live.loads import Load, loads
from bench.live.outcome import Run
from bench.live.page import lines, write
from bench.live.peers.install import installed, scraped
from bench.live.peers.programs import build
from bench.live.systems import System, queue_of, systems
from bench.places import FOLDER, PAGES
from bench.scaling.console import CELLS_ARE_KEPT, NOTHING_IS_WRITTEN, ended
from e2e.cluster import connect
from e2e.cluster.images import IMAGES
from e2e.cluster.progress import Progress
from e2e.cluster.target import image
from e2e.scenarios.api import Api
from e2e.scenarios.operator import Operator
from e2e.scenarios.settings import DEFAULTS
from e2e.scenarios.tenant import Tenant, leftovers
from foretide.simulate.command.progress import spoken
from foretide.simulate.compile import compile_all

# A request costs the machine some 2 ms in all: sender, kube-proxy, Triton with its Python process, scrapes.
MOST_RPS: Final = 600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all runs are there; 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.live",
        description="Runs Foretide, HPA (with prometheus-adapter) and KEDA on the embedded cluster, real controllers "
        "over real Triton pods, under pieces of real traces. Stopped, it goes on where it was. Writes "
        "build/bench/live.json, docs/benchmarks/live.md and its charts; some four hours.",
    )
    parser.add_argument("--quick", action="store_true", help="two crowds, three systems: 20 min, no pages")
    parser.add_argument("--only", default="", help="loads whose name contains this, e.g. flash; writes no pages")
    parser.add_argument(
        "--days", action="store_true", help="that alone: the day told slower, simulated, 4 min, no cluster"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of live.json (default: %(default)s)")
    parser.add_argument("--pages", type=Path, default=PAGES, help="folder of the page (default: %(default)s)")
    given = parser.parse_args(arguments)
    if given.days:
        return ended(_days, interrupted=NOTHING_IS_WRITTEN)
    wanted = tuple(load for load in loads(quick=given.quick) if given.only in load.key)
    if not wanted:
        parser.error(f"--only {given.only!r} matches none of {', '.join(one.key for one in loads(quick=given.quick))}")
    return ended(lambda: _run(given, wanted), interrupted=CELLS_ARE_KEPT)


def _days() -> int:
    compile_all()
    for line in slower.lines(slower.days()):
        print(line, flush=True)
    return 0


def _run(given: argparse.Namespace, wanted: Sequence[Load]) -> int:
    began = time.monotonic()
    compile_all()
    store = given.out / ("live-quick" if given.quick else "live")
    store.mkdir(parents=True, exist_ok=True)
    everyone = {load.key: systems(load, quick=given.quick) for load in wanted}
    todo = [(load, group) for load in wanted for group in _groups(load, everyone[load.key], store)]
    if todo:
        _perform(todo, store)
    rows = [json.loads(_file(store, load, system).read_text()) for load in wanted for system in everyone[load.key]]
    (given.out / f"{store.name}.json").write_text(json.dumps({"runs": rows}, indent=1) + "\n")
    print(*lines(rows), sep="\n")
    if not (given.quick or given.only):
        print("the page, with the day told slower, takes some minutes", flush=True)
        write(rows, slower.days(), given.pages)
    sys.stdout.write(f"{len(rows)} runs, {spoken(time.monotonic() - began)}\n")
    return 0


def _perform(todo: Sequence[tuple[Load, Sequence[System]]], store: Path) -> None:
    progress = Progress()
    cluster = connect(progress=progress)
    api = Api(cluster)
    operator = Operator(cluster, api, image=image("operator"), image_key=IMAGES["operator"].key(Path()))
    for tenant in leftovers(cluster, api):
        tenant.move_out()
    operator.install(DEFAULTS)
    with installed(cluster, api, build(progress)), scraped(cluster, api):
        for number, (load, group) in enumerate(todo, start=1):
            title = ", ".join(system.name for system in group)
            progress.say(f"{number} of {len(todo)}: {load.title} ({spoken(load.profile.seconds)}): {title}")
            tenant = Tenant.move_in(cluster, api, "live")
            try:
                for run in lanes.run(tenant, group, load, say=progress.say):
                    _keep(store, run)
            finally:
                tenant.move_out()
    api.close()


def _groups(load: Load, everyone: Sequence[System], store: Path) -> Iterator[Sequence[System]]:
    """Those that are still to be run, as many at once as the machine bears."""
    left = [system for system in everyone if not _file(store, load, system).exists()]
    together = max(1, int(MOST_RPS / load.profile.peak_rps))
    for first in range(0, len(left), together):
        yield left[first : first + together]


def _keep(store: Path, run: Run) -> None:
    file = _file(store, run.load, run.system)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(run.row()))
    partial.replace(file)


def _file(store: Path, load: Load, system: System) -> Path:
    """Of a run that is kept: another load, model or queue is another run."""
    made_of = repr((load, load.service(queue_of(system, load)).limits))
    return store / f"{load.key}-{system.name}-{hashlib.sha256(made_of.encode()).hexdigest()[:8]}.json"


if __name__ == "__main__":
    sys.exit(main())
