"""From the texts of options to values; a text that is none raises `Refused` with the name of its option."""

from __future__ import annotations

import math
from pathlib import Path

from foretide.api.durations import parse_seconds
from foretide.api.percentages import parse_fraction
from foretide.simulate.capacity import LARGEST_OBJECTIVE
from foretide.simulate.command.refused import Refused
from foretide.simulate.scenario import MOST_REPLICAS, Duration, Law, Nodes, Outage
from foretide.simulate.workload import Window

BATCH_TIME = "write it as time per item, fixed time, largest batch, e.g. 10ms,40ms,8"
RANDOM_TIME = "write it like 120s, 120s,lognormal:0.3 or 120s,empirical:FILE"
DAY_SECONDS = 86_400.0


def duration(field: str, text: str, *, low: float, high: float, fix: str = "write it like 250ms or 2m30s") -> float:
    """Seconds, as the API writes durations."""
    try:
        seconds = parse_seconds(text.strip())
    except ValueError:
        raise Refused(field, text, "must be a duration with a unit (us, ms, s, m, h)", fix) from None
    if not low <= seconds <= high:
        raise Refused(field, text, f"must be from {low:g} s to {high:g} s", fix)
    return seconds


def objective(field: str, text: str) -> float:
    """The share of requests within the SLO."""
    fix = 'write it like "99" or "99.9"'
    try:
        share = parse_fraction(text.strip())
    except ValueError:
        rule = "must be a percentage greater than 0 and less than 100, with at most 4 decimals and no percent sign"
        raise Refused(field, text, rule, fix) from None
    if share > LARGEST_OBJECTIVE:
        rule = f"must be at most {100.0 * LARGEST_OBJECTIVE:g}: too many requests are needed to see one late"
        raise Refused(field, text, rule, fix)
    return share


def whole(field: str, text: str, *, low: int, high: int) -> int:
    """A whole number."""
    if not (text.strip().isdecimal() and low <= int(text) <= high):
        raise Refused(field, text, f"must be a whole number from {low} to {high}", f"write it like {low}")
    return int(text)


def number(field: str, text: str, *, low: float, high: float) -> float:
    """A number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise Refused(field, text, f"must be a number from {low:g} to {high:g}", f"write it like {low:g}")
    return value


def batch_time(field: str, text: str, *, instances: int) -> Law:
    """The law of batch times."""
    parts = text.split(",")
    if len(parts) != 3:
        raise Refused(field, text, "must have three parts", BATCH_TIME)
    per_item, fixed = (duration(field, part, low=0.0, high=3600.0, fix=BATCH_TIME) for part in parts[:2])
    largest = whole(field, parts[2], low=1, high=1024)
    try:
        return Law(per_item_seconds=per_item, fixed_seconds=fixed, max_batch=largest, instances=instances)
    except ValueError as error:
        raise Refused(field, text, f"is no law: {error}", BATCH_TIME) from error


def random_time(field: str, text: str) -> Duration:
    """A constant time, a lognormal one of that mean, or measured times scaled to that mean."""
    mean_text, comma, shape = text.partition(",")
    mean = duration(field, mean_text, low=0.0, high=DAY_SECONDS, fix=RANDOM_TIME)
    kind, _, value = shape.partition(":")
    try:
        if kind == "lognormal":
            return Duration.lognormal(mean, number(field, value, low=0.0, high=10.0))
        if kind == "empirical":
            return _measured(field, value).scaled_to(mean)
    except ValueError as error:
        raise Refused(field, text, f"is no distribution of times: {error}", "give a smaller mean") from error
    if comma:
        raise Refused(field, text, "names a distribution that is not known", RANDOM_TIME)
    return Duration.constant(mean)


def nodes(provisioning: str | None, warm: str | None) -> Nodes:
    """The machines of the cluster; without both options there is always room."""
    if provisioning is None and warm is None:
        return Nodes()
    if warm is None:
        fix = "say how many replicas find room at once, e.g. --warm 2"
        raise Refused("--provisioning", provisioning, "needs --warm", fix)
    if provisioning is None:
        raise Refused("--warm", warm, "needs --provisioning", "say how long a machine takes, e.g. --provisioning 90s")
    return Nodes(
        warm_pods=whole("--warm", warm, low=0, high=MOST_REPLICAS),
        provisioning=random_time("--provisioning", provisioning),
    )


def outage(field: str, text: str) -> Outage:
    """A time without metrics, since the judged part began."""
    fix = "write it as begin since the judged part began and length, e.g. 30m,5m"
    begin, length = _two_durations(field, text, fix)
    if not length > 0.0:
        raise Refused(field, text, "must last longer than 0 s", fix)
    return Outage(start_seconds=begin, end_seconds=begin + length)


def knob(field: str, text: str) -> tuple[str, float]:
    """Name and value."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise Refused(field, text, "must be a name and a number", "write it like target=0.6")
    return name.strip(), number(f"{field} {name.strip()}", value, low=-1e12, high=1e12)


def window(field: str, text: str) -> Window:
    """The part of each trace that is judged."""
    fix = "write it as begin,end since the trace began, e.g. 24h,48h"
    begin, end = _two_durations(field, text, fix)
    if not begin < end:
        raise Refused(field, text, "must end after it begins", fix)
    return Window(begin, end)


def _two_durations(field: str, text: str, fix: str) -> tuple[float, float]:
    parts = text.split(",")
    if len(parts) != 2:
        raise Refused(field, text, "must have two parts", fix)
    first, second = (duration(field, part, low=0.0, high=1e10, fix=fix) for part in parts)
    return first, second


def _measured(field: str, file: str) -> Duration:
    """The times of a file, one a line."""
    fix = "give a text file with one time a line, e.g. 41.5s"
    try:
        lines = [line.strip() for line in Path(file).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{field} empirical", file, f"cannot be read ({error})", fix) from error
    times = [duration(f"{field} {file}", line, low=0.0, high=DAY_SECONDS, fix=fix) for line in lines if line]
    if not any(times):
        raise Refused(f"{field} empirical", file, "has no time above 0", fix)
    return Duration.empirical(times)
