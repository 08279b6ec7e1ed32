"""`make soak HOURS=1 SEED=7`: random faults of the matrix on ten services under load, judged all along.

The plan, who is hurt when, how and for how long, follows from the seed alone; what the operator makes of it is real.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from e2e.cluster import binaries
from e2e.cluster.artefacts import Artefacts
from e2e.cluster.paths import REPOSITORY, cache_folder
from e2e.cluster.progress import Progress
from e2e.faults.fleet import Behaviour
from e2e.faults.proxy import Fault
from e2e.faults.proxy.client import INSTANT, KUBERNETES, PROMETHEUS
from e2e.faults.stand.stand import Stand, standing
from e2e.faults.team import Team
from e2e.scenarios.service import Service
from foretide.simulate.command.signals import sigterm_as_ctrl_c

SERVICES: Final = 10
MOST_RPS: Final = 40.0
# Between two faults; every load is drawn anew in between.
CALM_SECONDS: Final = (5.0, 25.0)
FAULT_SECONDS: Final = (3.0, 25.0)
REPORT: Final = REPOSITORY / "build" / "soak"
INTERRUPTED: Final = 130

Hurt = Callable[[Stand, Team, str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Step:
    """One fault of the plan."""

    calm_seconds: float
    loads_rps: tuple[float, ...]
    fault: str
    seconds: float
    service: int


@dataclass(slots=True)
class Report:
    """What came of it."""

    seed: int
    seconds: float
    steps: int = 0  # of the plan
    done: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    operator_faults: list[str] = field(default_factory=list)
    writes: int = 0
    scalings: int = 0
    memory_mib: float = 0.0


def _proxied(server: str, fault: Fault, **how: Any) -> Hurt:
    return lambda stand, _, __: stand.proxy.hurting(server, fault, **how)


def _pods(**changes: Any) -> Hurt:
    @contextmanager
    def hurt(_: Stand, team: Team, service: str) -> Any:
        usual = team.stand.fleet.behaviour(team.namespace, service)
        team.behave(service, **changes)
        yield
        team.behave(service, **{name: getattr(usual, name) for name in changes})

    return hurt


def _between(begin: Callable[[Stand], None], end: Callable[[Stand], None]) -> Hurt:
    @contextmanager
    def hurt(stand: Stand, _: Team, __: str) -> Any:
        begin(stand)
        yield
        end(stand)

    return hurt


def _operator_goes_on(stand: Stand) -> None:
    stand.operator.go_on()
    stand.operator.until_leading()


@contextmanager
def _triton_restarts(stand: Stand, team: Team, service: str) -> Any:
    stand.fleet.restart(team.namespace, service)
    yield


FAULTS: Final[Mapping[str, Hurt]] = {
    "F01 Prometheus dies": _between(lambda stand: stand.prometheus.kill(), lambda stand: stand.prometheus.start()),
    "F02 Prometheus hangs": _between(lambda stand: stand.prometheus.hang(), lambda stand: stand.prometheus.go_on()),
    "F03 Prometheus refuses": _proxied(PROMETHEUS, Fault.ANSWER, status=503),
    "F04 an answer cut off": _proxied(PROMETHEUS, Fault.TRUNCATE, path=INSTANT, bytes=60, share=0.3),
    "F05 a partial answer": _proxied(PROMETHEUS, Fault.REWRITE, path=INSTANT, transform="warned"),
    "F06 no series": _proxied(PROMETHEUS, Fault.REWRITE, path=INSTANT, transform="empty"),
    "F07 NaN": _proxied(PROMETHEUS, Fault.REWRITE, path=INSTANT, transform="nan"),
    "F11 pods not scraped": _pods(unscraped=1),
    "F12 series twice": _pods(twice=True),
    "F13 counters reset": _triton_restarts,
    "F14 Prometheus of another time": _proxied(
        PROMETHEUS, Fault.REWRITE, path=INSTANT, transform="shifted", number=600.0
    ),
    "F22 slow starts": _pods(start_seconds=15.0),
    "F26 pods that stay": _pods(leave_seconds=60.0),
    "F36 the operator crashes": _between(lambda stand: stand.operator.kill(), lambda stand: stand.operator.start()),
    "F39 answers to writes are lost": _proxied(KUBERNETES, Fault.LOSE, method="PATCH", share=0.3),
    "F41 watches are silent": _proxied(KUBERNETES, Fault.FREEZE, path=r".*watch=.*"),
    "F42 garbage in watches": _proxied(KUBERNETES, Fault.GARBLE, path=r".*watch=.*", times=5),
    "F45 errors of the API server": _proxied(KUBERNETES, Fault.ANSWER, path="(?!.*leases).*", status=500, share=0.3),
    "F51 the operator stands still": _between(lambda stand: stand.operator.stand_still(), _operator_goes_on),
    "nothing": lambda *_: nullcontext(),
}


def plan(seed: int, seconds: float) -> list[Step]:
    """The same for the same seed, and a longer one begins like a shorter one."""
    steps: list[Step] = []
    chance, at = random.Random(seed), 0.0
    while True:
        step = Step(
            calm_seconds=round(chance.uniform(*CALM_SECONDS), 1),
            loads_rps=tuple(round(MOST_RPS * chance.random() ** 2, 1) for _ in range(SERVICES)),
            fault=chance.choice(list(FAULTS)),
            seconds=round(chance.uniform(*FAULT_SECONDS), 1),
            service=chance.randrange(SERVICES),
        )
        at += step.calm_seconds + step.seconds
        if at > seconds:
            return steps
        steps.append(step)


def run(stand: Stand, report: Report, say: Callable[[str], None]) -> None:
    """All of the plan of the report, which says meanwhile what was done and what was broken, if anything was."""
    steps = plan(report.seed, report.seconds)
    report.steps = len(steps)
    team = Team.move_in(stand, f"soak-{report.seed}")
    try:
        _perform(team, steps, report, say)
    finally:
        _count(team, report)


def _perform(team: Team, steps: Sequence[Step], report: Report, say: Callable[[str], None]) -> None:
    began, stand = time.monotonic(), team.stand
    services = [team.serve(f"service-{row}", foresees=row % 2 == 0) for row in range(SERVICES)]
    for service in services:
        service.until_ready(replicas=1)
    for step in steps:
        for service, rate in zip(services, step.loads_rps, strict=True):
            team.behave(service.name, rate_rps=rate)
        time.sleep(step.calm_seconds)
        say(f"{time.monotonic() - began:6.0f} s  {report.done + 1}/{report.steps}  {step.fault} for {step.seconds:g} s")
        with FAULTS[step.fault](stand, team, services[step.service].name):
            time.sleep(step.seconds)
        report.memory_mib = max(report.memory_mib, stand.operator.memory_mib)
        report.done += 1
        report.faults = dict(Counter(one.fault for one in steps[: report.done]))
        _judge(team, report, say)
    _come_to_rest(team, services, report, say)


def _count(team: Team, report: Report) -> None:
    log = [write for write in team.stand.audit.writes(since=team.began) if write.namespace == team.namespace]
    report.writes = len(log)
    report.scalings = sum(write.resource == "deployments/scale" and write.done for write in log)


def _judge(team: Team, report: Report, say: Callable[[str], None]) -> None:
    found = [each for each in team.broken() if each not in report.broken]
    faults = [each for each in team.stand.operator.faults(since=team.said) if each not in report.operator_faults]
    for each in (*found, *faults):
        say(f"BROKEN  {each}")
    report.broken += found
    report.operator_faults += faults


def _come_to_rest(team: Team, services: list[Service], report: Report, say: Callable[[str], None]) -> None:
    """After faults stop: what is wanted is there, and nothing more is written."""
    for service in services:
        team.stand.fleet.behave(team.namespace, service.name, Behaviour(rate_rps=MOST_RPS / 4))
    try:
        team.settle(*services)
    except AssertionError as error:
        report.broken.append(str(error))
        say(f"BROKEN  {error}")


def main() -> int:
    parser = argparse.ArgumentParser("python -m e2e.faults.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    cache = cache_folder()
    programs = binaries.build(binaries.find_go(cache), Artefacts(cache / "artefacts"), cache, Progress())
    report = Report(given.seed, given.hours * 3_600)
    folder, ended = Path(tempfile.mkdtemp(prefix="foretide-soak-")), False
    sigterm_as_ctrl_c()
    try:
        with standing(programs, folder) as stand:
            run(stand, report, lambda text: print(text, flush=True))
        ended = True
    except KeyboardInterrupt:
        print(f"interrupted after {report.done} of {report.steps} faults", file=sys.stderr)
    REPORT.mkdir(parents=True, exist_ok=True)
    (REPORT / f"{given.seed}.json").write_text(json.dumps(asdict(report), indent=1) + "\n")
    print(json.dumps(asdict(report), indent=1))
    if report.broken or report.operator_faults:
        print(f"the logs are in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0 if ended else INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
