"""The two commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

from foretide.api.durations import format_seconds
from foretide.simulate.capacity import Infeasible, rate_at_slo
from foretide.simulate.command import values
from foretide.simulate.command.disturbances import Disturbances
from foretide.simulate.command.options import parser
from foretide.simulate.command.processes import WorkerLost, perform_all
from foretide.simulate.command.progress import Progress
from foretide.simulate.command.refused import Refused
from foretide.simulate.command.results import pending, read
from foretide.simulate.command.table import rows, table
from foretide.simulate.command.work import Task, policy_of, tasks
from foretide.simulate.compile import compile_all
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.fluid_columns import STEPS_SECONDS
from foretide.simulate.policies import Listed, listed
from foretide.simulate.scenario import Queue, Routing
from foretide.simulate.traces import Trace, TraceError, read_traces
from foretide.simulate.workload import LARGEST_SIZE, QueueName, Service, Window, Workload, workloads

USAGE: Final = 2
FAILED: Final = 1
INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 2 for an input that cannot be used, 130 after Ctrl-C."""
    try:
        given = parser().parse_args(arguments)
        return _run(given) if given.command == "run" else _compare(given)
    except (Refused, TraceError) as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    except WorkerLost as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing is written\n")
        return INTERRUPTED


def _run(given: argparse.Namespace) -> int:
    service, disturbances = _service(given), _disturbances(given)
    seeds = values.whole("--seeds", given.seeds, low=1, high=1000)
    workers = values.whole("--workers", given.workers, low=1, high=1024)
    window = values.window("--window", given.window) if given.window is not None else None
    entry, knobs = _policy(given)
    traces = selected(read_traces(given.trace), given.series)
    with pending("--out", given.out) as result:
        compile_all()
        rate = _rate(service, given)
        loads = [
            workload
            for trace in traces
            for workload in _workloads(trace, service, rate_at_slo_rps=rate, seeds=seeds, window=window)
        ]
        _check_outages(disturbances, loads, given)
        parts = tasks(loads, entry, knobs, Fidelity(given.fidelity), disturbances)
        _check_knobs(parts[0], given)
        progress = Progress(f"{entry.name} on {len(loads)} lanes")
        try:
            runs = perform_all(parts, workers=workers, report=progress.at)
        finally:
            progress.end()
        result.write(runs)
    sys.stdout.write(table(rows(runs)))
    return 0


def _compare(given: argparse.Namespace) -> int:
    sys.stdout.write(table(rows([run for path in given.results for run in read(path)])))
    return 0


def selected(traces: Sequence[Trace], patterns: Sequence[str]) -> list[Trace]:
    """The series of each trace that match a pattern, by their name or as FILE/SERIES, and have any request."""
    names = [(trace.name, series) for trace in traces for series in trace.series]
    for pattern in patterns:
        if not any(_matches(trace, series, pattern) for trace, series in names):
            there = ", ".join(f"{trace}/{series}" for trace, series in names[:10])
            raise Refused("--series", pattern, "matches no series", f"there are {there}{' ...' * (len(names) > 10)}")
    found = []
    for trace in traces:
        wanted = [name for name in trace.series if any(_matches(trace.name, name, pattern) for pattern in patterns)]
        idle = [name for name in wanted if not trace.counts[trace.series.index(name)].any()]
        for name in idle:
            sys.stderr.write(f"{trace.name}/{name} is left out: it has no request\n")
        busy = [row for row, name in enumerate(trace.series) if name in wanted and name not in idle]
        if busy:
            names_left = tuple(trace.series[row] for row in busy)
            found.append(replace(trace, series=names_left, counts=trace.counts[busy], factor=trace.factor[busy]))
    if not found:
        raise Refused("--trace", ", ".join(trace.name for trace in traces), "has no request", "name another trace")
    return found


def _matches(trace: str, series: str, pattern: str) -> bool:
    return fnmatchcase(series, pattern) or fnmatchcase(f"{trace}/{series}", pattern)


def _service(given: argparse.Namespace) -> Service:
    instances = values.whole("--instances", given.instances, low=1, high=16)
    return Service(
        law=values.batch_time("--batch-time", given.batch_time, instances=instances),
        slo_latency_seconds=_slo(given),
        objective=values.objective("--objective", given.objective),
        cold_start=values.random_time("--cold-start", given.cold_start),
        size=values.whole("--size", given.size, low=1, high=LARGEST_SIZE),
        queue=QueueName(given.queue),
        arrival_cv=_arrival_cv(given),
        routing=_routing(given),
        nodes=values.nodes(given.provisioning, given.warm),
    )


def _slo(given: argparse.Namespace) -> float:
    seconds = values.duration("--slo", given.slo, low=0.001, high=3600.0)
    if seconds > STEPS_SECONDS[-1] and given.fidelity == Fidelity.FLUID:
        rule = f"needs every request: steps of the fluid are {STEPS_SECONDS[-1]:g} s at most, and none may be shorter"
        raise Refused("--slo", given.slo, rule, "leave out --fidelity fluid")
    return seconds


def _arrival_cv(given: argparse.Namespace) -> float:
    arrival_cv = values.number("--arrival-cv", given.arrival_cv, low=1.0, high=10.0)
    if arrival_cv != 1.0 and given.fidelity == Fidelity.FLUID:
        fix = "leave out --fidelity fluid, or --arrival-cv"
        raise Refused("--arrival-cv", given.arrival_cv, "needs every request: the fluid's arrivals are Poisson", fix)
    return arrival_cv


def _routing(given: argparse.Namespace) -> Routing:
    (routing,) = (one for one in Routing if one.word == given.routing)
    if routing is not Routing.RANDOM and given.fidelity == Fidelity.FLUID:
        fix = "leave out --fidelity fluid, or --routing"
        raise Refused("--routing", given.routing, "needs every request: the fluid routes at random", fix)
    return routing


def _disturbances(given: argparse.Namespace) -> Disturbances:
    return Disturbances(
        outages=tuple(values.outage("--outage", text) for text in given.outage),
        crashes_per_hour=values.number("--crashes-per-hour", given.crashes_per_hour, low=0.0, high=3600.0),
        lost_scrapes=values.number("--lost-scrapes", given.lost_scrapes, low=0.0, high=100.0) / 100.0,
    )


def _check_outages(disturbances: Disturbances, loads: Sequence[Workload], given: argparse.Namespace) -> None:
    """Before the first run: how long each trace is judged is known only now."""
    for text, outage in zip(given.outage, disturbances.outages, strict=True):
        for load in loads:
            if outage.start_seconds >= load.judged_seconds:
                rule = f"begins when all is over: {load.trace} is judged for {format_seconds(load.judged_seconds)}"
                raise Refused("--outage", text, rule, "let it begin earlier")


def _policy(given: argparse.Namespace) -> tuple[Listed, dict[str, float]]:
    knobs = dict(values.knob("--knob", text) for text in given.knob)
    try:
        entry = listed(given.policy)
    except ValueError as error:
        raise Refused("--policy", given.policy, f"is refused: {error}", "name one of them") from error
    try:
        entry.settings(knobs)
    except ValueError as error:
        fix = "name one of them" if entry.knobs else "leave it out"
        raise Refused("--knob", " ".join(given.knob), f"is refused: {error}", fix) from error
    return entry, knobs


def _check_knobs(task: Task, given: argparse.Namespace) -> None:
    """Before the first run: a value out of its range is known to the policy only."""
    try:
        policy_of(task)
    except ValueError as error:
        raise Refused("--knob", " ".join(given.knob), f"is refused: {error}", "give a value within it") from error


def _rate(service: Service, given: argparse.Namespace) -> float:
    """Always with the default queue: it decides the load, and the load must not depend on the queue."""
    try:
        rate = rate_at_slo(
            service.law,
            slo_latency_seconds=service.slo_latency_seconds,
            objective=service.objective,
            queue=Queue(),
            arrival_cv=service.arrival_cv,
        )
    except Infeasible as error:
        raise Refused(
            "--slo", given.slo, f"cannot be kept: {error}", "give a longer one, a lower --objective or a faster model"
        ) from error
    sys.stderr.write(
        f"one replica keeps {given.objective} % within {given.slo} up to {rate:.4g} requests a second "
        f"({100.0 * rate / service.law.saturation_rps:.0f} % of what it can serve)\n"
    )
    return rate


def _workloads(
    trace: Trace, service: Service, *, rate_at_slo_rps: float, seeds: int, window: Window | None
) -> tuple[Workload, ...]:
    try:
        return workloads(trace, service, rate_at_slo_rps=rate_at_slo_rps, seeds=range(1, seeds + 1), window=window)
    except ValueError as error:
        raise Refused("--window", trace.name, f"cannot be judged: {error}", "give another window or trace") from error
