"""The load of a backtest: the service's own past from Prometheus, or a file."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from foretide.adapters.errors import AdapterError
from foretide.adapters.prometheus import Prometheus
from foretide.api.inferenceservice import InferenceService
from foretide.cli.backtest.case import Load
from foretide.cli.exits import Exit, Stop
from foretide.control import past
from foretide.control.backfill import FORTNIGHT_SECONDS, LAG_SECONDS, TOO_MUCH
from foretide.scaling.arrays import Bools, Floats
from foretide.simulate.run import EPOCH_SECONDS
from foretide.simulate.traces import read_trace

DAY_SECONDS: Final = 86_400.0
MINUTE_SECONDS: Final = past.STEP_SECONDS
# Half a day: an answer has the Deployments of all services.
CHUNK_MINUTES: Final = 720
LEAST_CHUNK_MINUTES: Final = 45
LEAST_KNOWN_SHARE: Final = 0.5
STEPS_SECONDS: Final = (60.0, 30.0, 15.0, 5.0, 3.0, 1.0)
# A lane needs its warm-up before what is judged.
LEAST_BEFORE_SECONDS: Final = 1_800.0


async def of_prometheus(
    prometheus: Prometheus,
    service: InferenceService,
    *,
    created_seconds: float,
    now_seconds: float,
    days: float,
    rate_window_seconds: float,
    report: Callable[[float], None],
) -> Load:
    """The last days, by the minute, and up to two weeks before them. Raises Stop where less than half is known."""
    owner = past.owner_of(service, since_seconds=created_seconds)
    newest = math.floor((now_seconds - LAG_SECONDS) / MINUTE_SECONDS) * MINUTE_SECONDS
    wanted = round(days * DAY_SECONDS / MINUTE_SECONDS)
    most = min(
        wanted + round(FORTNIGHT_SECONDS / MINUTE_SECONDS),
        past.own_minutes(owner, newest, rate_window_seconds=rate_window_seconds),
    )
    pieces: list[tuple[Floats, Bools]] = []
    done, chunk = 0, CHUNK_MINUTES
    while done < most:
        steps = min(chunk, most - done)
        end = newest - done * MINUTE_SECONDS
        try:
            found = await past.read(
                prometheus, [owner], steps=steps, end_seconds=end, rate_window_seconds=rate_window_seconds
            )
        except AdapterError as error:
            if error.reason in TOO_MUCH and chunk > LEAST_CHUNK_MINUTES:
                chunk //= 2
                continue
            raise
        demand = found.of([owner.service]).demand
        pieces.insert(0, (demand.value[0], demand.known[0]))
        done += steps
        report(done / most)
        if done > wanted and not demand.known.any():
            break  # before what Prometheus keeps
    if not pieces:
        raise Stop(f"{service.name}: was created less than a minute ago; give a load with -f FILE", Exit.MISTAKE)
    value, known = (np.concatenate([piece[part] for piece in pieces]) for part in (0, 1))
    judged = min(wanted, len(value))
    if (share := float(known[-judged:].mean())) < LEAST_KNOWN_SHARE:
        raise Stop(
            f"{service.name}: Prometheus knows {100.0 * share:.0f} % of the last {judged / 1_440:.3g} days; ask for "
            "fewer with --days, or give a load with -f FILE"
        )
    first = int(np.argmax(known))  # nothing was known before
    value, known = value[first:], known[first:]
    return _load(
        filled(value, known),
        MINUTE_SECONDS,
        start_seconds=newest - len(value) * MINUTE_SECONDS,
        judged_seconds=days * DAY_SECONDS,
        unknown_share=1.0 - float(known[-min(wanted, len(known)) :].mean()),
        source="Prometheus",
    )


def filled(value: Floats, known: Bools) -> Floats:
    """Gaps as the same time of the day before, if that is known, else on a line between what is known around them."""
    day = round(DAY_SECONDS / MINUTE_SECONDS)
    out, there = value.copy(), known.copy()
    for at in np.flatnonzero(~known).tolist():
        if at >= day and there[at - day] and at + 1 < len(value):
            out[at], there[at] = out[at - day], True
    places = np.arange(len(out))
    return np.asarray(np.interp(places, places[there], out[there]))


def of_file(file: Path, *, series: str | None, days: float) -> Load:
    """One series of a CSV file: a column t_s of seconds, and counts of requests of each step. Raises TraceError."""
    trace = read_trace(file)
    if series is None and len(trace.series) > 1:
        raise Stop(f"--series: {file} has {len(trace.series)} ({', '.join(trace.series[:5])}); name one")
    name = trace.series[0] if series is None else series
    if name not in trace.series:
        raise Stop(f"--series: {file} has no {name}; there are {', '.join(trace.series[:10])}")
    counts = trace.counts[trace.series.index(name)]
    if not counts.any():
        raise Stop(f"-f: {name} of {file} has no request at all; name another file or --series")
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
