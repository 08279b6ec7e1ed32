"""The load of a backtest: the service's own past from Prometheus, or a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from foretide.adapters.errors import AdapterError
from foretide.adapters.prometheus import Prometheus
from foretide.api.inferenceservice import InferenceService
from foretide.cli.backtest.case import Load
from foretide.cli.exits import Stop
from foretide.control import past
from foretide.control.backfill import FORTNIGHT_SECONDS, LAG_SECONDS, TOO_MUCH
from foretide.scaling.arrays import Bools, Floats
from foretide.simulate.run import EPOCH_SECONDS
from foretide.simulate.traces import Trace, read_trace

DAY_SECONDS: Final = 86_400.0
MINUTE_SECONDS: Final = past.STEP_SECONDS
# Half a day: an answer has the Deployments of all services.
CHUNK_MINUTES: Final = 720
LEAST_CHUNK_MINUTES: Final = 45
LEAST_KNOWN_SHARE: Final = 0.5
STEPS_SECONDS: Final = (60.0, 30.0, 15.0, 5.0, 3.0, 1.0)
# A lane needs its warm-up before what is judged.
LEAST_BEFORE_SECONDS: Final = 1_800.0


@dataclass(frozen=True, slots=True)
class Created:
    """A service of the cluster, and when it was made (Unix time)."""

    service: InferenceService
    created_seconds: float


async def of_prometheus(
    prometheus: Prometheus,
    services: Sequence[Created],
    *,
    now_seconds: float,
    days: float,
    rate_window_seconds: float,
    report: Callable[[float], None],
) -> list[Load | str]:
    """Of each the last days, by the minute, and up to two weeks before them; or why it is not enough for a backtest:
    less than half is known."""
    owners = [past.owner_of(one.service, since_seconds=one.created_seconds) for one in services]
    newest = math.floor((now_seconds - LAG_SECONDS) / MINUTE_SECONDS) * MINUTE_SECONDS
    wanted = round(days * DAY_SECONDS / MINUTE_SECONDS)
    longest = wanted + round(FORTNIGHT_SECONDS / MINUTE_SECONDS)
    own = [min(longest, past.own_minutes(one, newest, rate_window_seconds=rate_window_seconds)) for one in owners]
    value, known = np.zeros((len(owners), 0)), np.zeros((len(owners), 0), dtype=np.bool_)
    most, chunk = max(own), CHUNK_MINUTES
    while (done := value.shape[1]) < most:
        steps = min(chunk, most - done)
        end = newest - done * MINUTE_SECONDS
        try:
            found = await past.read(
                prometheus, owners, steps=steps, end_seconds=end, rate_window_seconds=rate_window_seconds
            )
        except AdapterError as error:
            if error.reason in TOO_MUCH and chunk > LEAST_CHUNK_MINUTES:
                chunk //= 2
                continue
            raise
        demand = found.of([owner.service for owner in owners]).demand
        value = np.concatenate([demand.value, value], axis=1)
        known = np.concatenate([demand.known, known], axis=1)
        report((done + steps) / most)
        if done + steps > wanted and not demand.known.any():
            break  # before what Prometheus keeps
    return [
        _known_part(one.service, value[row], known[row], own[row], newest_seconds=newest, wanted=wanted)
        for row, one in enumerate(services)
    ]


def _known_part(
    service: InferenceService, value: Floats, known: Bools, own: int, *, newest_seconds: float, wanted: int
) -> Load | str:
    value, known = value[max(len(value) - own, 0) :], known[max(len(known) - own, 0) :]
    if not len(value):
        return f"{service.name}: was created less than a minute ago; give a load with -f FILE"
    judged = min(wanted, len(value))
    if (share := float(known[-judged:].mean())) < LEAST_KNOWN_SHARE:
        return (
            f"{service.name}: Prometheus knows {100.0 * share:.0f} % of the last {judged / 1_440:.3g} days; ask for "
            "fewer with --days, or give a load with -f FILE"
        )
    first = int(np.argmax(known))  # nothing was known before
    value, known = value[first:], known[first:]
    try:
        return _load(
            filled(value, known),
            MINUTE_SECONDS,
            start_seconds=newest_seconds - len(value) * MINUTE_SECONDS,
            judged_seconds=wanted * MINUTE_SECONDS,
            unknown_share=1.0 - float(known[-min(wanted, len(known)) :].mean()),
            source="Prometheus",
        )
    except Stop as stop:
        return f"{service.name}: {stop}"


def filled(value: Floats, known: Bools) -> Floats:
    """Gaps as the same time of the day before, if that is known, else on a line between what is known around them."""
    day = round(DAY_SECONDS / MINUTE_SECONDS)
    out, there = value.copy(), known.copy()
    for at in np.flatnonzero(~known).tolist():
        if at >= day and there[at - day] and at + 1 < len(value):
            out[at], there[at] = out[at - day], True
    places = np.arange(len(out))
    return np.asarray(np.interp(places, places[there], out[there]))


def of_file(file: Path, *, series: Sequence[str], days: float) -> dict[str, Load]:
    """Series of a CSV file, all where none is named: a column t_s of seconds, and counts of requests of each step.
    Raises TraceError, and Stop for a series that is not there or that has no request."""
    trace = read_trace(file)
    for name in series:
        if name not in trace.series:
            raise Stop(f"--series: {file} has no {name}; there are {', '.join(trace.series[:10])}")
    return {name: _of_series(file, trace, name, days) for name in dict.fromkeys(series or trace.series)}


def _of_series(file: Path, trace: Trace, name: str, days: float) -> Load:
    counts = trace.counts[trace.series.index(name)]
    if not counts.any():
        raise Stop(f"-f: {name} of {file} has no request at all; name others with --series")
    step = next((one for one in STEPS_SECONDS if one <= trace.step_seconds), STEPS_SECONDS[-1])
    edges = np.arange(math.floor(trace.seconds / step) + 1) * step
    so_far = np.concatenate([[0.0], np.cumsum(counts)])
    rates = np.diff(np.interp(edges, np.arange(len(so_far)) * trace.step_seconds, so_far)) / step
    return _load(
        rates,
        step,
        start_seconds=EPOCH_SECONDS,
        judged_seconds=days * DAY_SECONDS,
        unknown_share=0.0,
        source=f"{file.name}, {name}",
    )


def _load(
    rates: Floats,
    step_seconds: float,
    *,
    start_seconds: float,
    judged_seconds: float,
    unknown_share: float,
    source: str,
) -> Load:
    """What is judged begins with a warm-up before it, and is of whole minutes."""
    minute = round(MINUTE_SECONDS / step_seconds)
    rates = rates[len(rates) % minute :]
    before = max(len(rates) - round(judged_seconds / step_seconds), round(LEAST_BEFORE_SECONDS / step_seconds))
    if len(rates) - before < minute:
        raise Stop(
            f"the load is too short: {len(rates) * step_seconds / 60.0:.0f} min, of which the first "
            f"{LEAST_BEFORE_SECONDS / 60.0:.0f} only warm up; give more of it"
        )
    return Load(
        rates_rps=rates,
        step_seconds=step_seconds,
        start_seconds=start_seconds,
        judged_from=before,
        unknown_share=unknown_share,
        source=source,
    )
