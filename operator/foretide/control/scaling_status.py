"""The autoscale loop's part of status: a pure function of one row of decisions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from foretide.api import conditions
from foretide.api.conditions import rfc3339
from foretide.api.durations import format_seconds
from foretide.api.status import MAX_DECISIONS
from foretide.control.numbers import HOUR_SECONDS, decimal, number, plain
from foretide.control.policies import is_advisory
from foretide.control.scaling_conditions import Circumstances, conditions_of
from foretide.scaling import lead_time, ledger
from foretide.scaling.budget import WINDOWS_SECONDS, Account
from foretide.scaling.decision import Bound, Decisions
from foretide.scaling.normal import STANDARD
from foretide.scaling.sli import Source

# A number is told anew when it moved by this share: each tick learns a little, and status must come to rest.
TOLD_CHANGE: Final = 0.05
# What follows from the load of the moment moves more.
TOLD_COST_CHANGE: Final = 0.2
# Of the error budget, in percent.
TOLD_BUDGET_POINTS: Final = 5.0
# Ten thousand times what was there: more has no meaning, and no room in status.
LARGEST_OVERDRAFT: Final = 1e4
# Below, a price of a thousand inferences is a price of nothing, and has no end of digits.
LEAST_RPS: Final = 1e-3


def status(made: Decisions, row: int, known: Circumstances, previous: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of status that the field manager `foretide-autoscaler` owns, without the memory."""
    timed = conditions.transitioned(conditions_of(made, row, known), conditions.read(previous), now=known.now)
    # What is only advised is not what a Deployment that was deleted by hand comes back with.
    desired = made.fleet.replicas if is_advisory(known.policy) else made.desired
    found = {
        "conditions": [condition.as_json() for condition in timed],
        "desiredReplicas": int(desired[row]),
        "capacity": _capacity(made, row, previous.get("capacity")),
        "coldStart": _cold_start(made, row, previous.get("coldStart")),
        "slo": _slo(known.account_of(made), row, previous.get("slo")),
        "cost": _cost(made, row, known, previous.get("cost")),
        "decisions": _decisions(made, row, known, previous.get("decisions", ())),
    }
    return {name: value for name, value in found.items() if value is not None}


def _capacity(made: Decisions, row: int, told: object) -> dict[str, Any]:
    capacity = made.capacity
    rate = float(capacity.rate_rps[row])
    now = {
        "perReplica": _rps(rate),
        "batchTime": {
            "perItem": format_seconds(float(capacity.per_item_seconds[row])),
            "fixed": format_seconds(float(capacity.fixed_seconds[row])),
        },
        "source": "Prior" if not capacity.known[row] else "Profile" if capacity.told[row] else "Measured",
    }
    if not isinstance(told, Mapping) or told.get("source") != now["source"]:
        return now
    # The law in it belongs to its rate.
    return dict(told) if _is_near(rate, told.get("perReplica"), TOLD_CHANGE) else now


def _cold_start(made: Decisions, row: int, told: object) -> dict[str, Any] | None:
    """Of the starts on nodes that were there; None before the first."""
    seen = lead_time.starts(made.memory.lead_times, row)[0]
    if not seen:
        return None
    p90 = float(made.plan.lead_seconds[row])
    now = {
        "p50": format_seconds(float(f"{np.median(seen):.3g}")),
        "p90": format_seconds(float(f"{p90:.3g}")),
        "starts": len(seen),
    }
    # The p90 moves while pods start; the other two with each start, and the count no more once the memory is full.
    same = isinstance(told, Mapping) and all(told.get(name) == now[name] for name in ("p50", "starts"))
    return dict(told) if isinstance(told, Mapping) and same else now


def _slo(account: Account, row: int, told: object) -> dict[str, Any] | None:
    """What is known of the requests of the SLO's window; None while it is too little."""
    if not account.known[row]:
        return None
    left, rates = float(account.left[row]), account.burn_rates[row, :-1].tolist()
    now = {
        "attainment": f"{100.0 * (1.0 - account.share_late[row, -1]):.2f}",
        "budgetLeft": f"{100.0 * max(left, -LARGEST_OVERDRAFT):.0f}",
        "burnRates": [
            {"window": format_seconds(window), "rate": f"{rate:.1f}"}
            for window, rate in zip(WINDOWS_SECONDS, rates, strict=True)
        ],
        "source": Source(account.source[row]).label,
    }
    return dict(told) if isinstance(told, Mapping) and _is_spent_alike(now, told) else now


def _is_spent_alike(now: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    before = {entry.get("window"): entry.get("rate") for entry in told.get("burnRates", ())}
    alike = all(
        _is_near(float(entry["rate"]), before[entry["window"]], 0.5, least=1.0)
        for entry in now["burnRates"]
        if entry["window"] in before
    )
    if told.get("source") != now["source"]:
        return False
    left = number(told.get("budgetLeft"))
    moved = abs(float(now["budgetLeft"]) - left)
    return alike and len(before) == len(now["burnRates"]) and moved < max(TOLD_BUDGET_POINTS, 0.1 * abs(left))


def _cost(made: Decisions, row: int, known: Circumstances, told: object) -> dict[str, Any] | None:
    """By the price and the power of the hardware classes; None where one in use has no price, or another currency."""
    fleet = known.divided or ((known.hardware_class, int(made.fleet.replicas[row])),)
    used = [each for each in fleet if each[1] > 0] or fleet[:1]
    costs = [one.spec.cost for one, _ in used if one.spec.cost is not None]
    if len(costs) < len(used) or len({cost.currency for cost in costs}) > 1:
        return None
    replicas = sum(number for _, number in used)
    per_hour = sum(number * cost.amount_per_hour for (_, number), cost in zip(used, costs, strict=True))
    # Over 20 minutes: half a minute of a quiet service is another number each time.
    recent = made.memory.sight.history.recent[row].astype(np.float64)
    heard = recent[np.isfinite(recent)]
    asked_rps = float(heard.mean()) if len(heard) else 0.0
    now: dict[str, Any] = {"perHour": decimal(per_hour), "currency": costs[0].currency}
    if asked_rps >= LEAST_RPS:
        thousands_an_hour = asked_rps * HOUR_SECONDS / 1_000.0
        now["perThousandInferences"] = decimal(per_hour / thousands_an_hour)
        powers = [(one.spec.power, number) for one, number in used if one.spec.power is not None]
        if len(powers) == len(used):
            # Of the slowest class in use; each replica gets the same share.
            saturation_rps = float(made.capacity.rate_rps[row] / made.capacity.utilisation[row])
            busy = min(asked_rps / max(replicas * saturation_rps, 1e-9), 1.0)
            watts = sum(
                number * (power.idle_watts + (power.busy_watts - power.idle_watts) * busy) for power, number in powers
            )
            now["wattHoursPerThousandInferences"] = decimal(watts / thousands_an_hour)
    return dict(told) if isinstance(told, Mapping) and _costs_the_same(now, told) else now


def _costs_the_same(now: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    if now.keys() != told.keys() or any(told[name] != now[name] for name in ("perHour", "currency")):
        return False
    price = now.get("perThousandInferences")
    return price is None or _is_near(float(price), told["perThousandInferences"], TOLD_COST_CHANGE)


def _is_near(value: float, told: object, share: float, *, least: float = 0.0) -> bool:
    """Whether it moved by no more than a share of what was told, or by no more than `least`."""
    before = number(told)
    return math.isfinite(before) and abs(value - before) <= max(least, share * before)


def _rps(rate: float) -> str:
    """A rate as the API writes numbers that are not whole: plain decimals, never an exponent."""
    return plain(rate, places=3)


def _decisions(made: Decisions, row: int, known: Circumstances, before: Any) -> list[dict[str, Any]]:
    """The last changes, newest last; a change that must be tried again (its /scale failed) is told once."""
    wanted, present = int(made.desired[row]), int(made.fleet.replicas[row])
    kept = [dict(entry) for entry in before]
    if wanted == present:
        return kept[-MAX_DECISIONS:]
    if kept and (kept[-1]["from"], kept[-1]["to"]) == (present, wanted):
        if is_advisory(known.policy) or known.untaken is not None:
            return kept[-MAX_DECISIONS:]  # the same still, which nobody follows or /scale does not take
        kept.pop()
    demand = made.seen.demand
    entry = {
        "time": rfc3339(known.now),
        "from": present,
        "to": wanted,
        "bound": Bound(made.bound[row]).label,
        "reason": ledger.reason(made, row).value,
        "text": ledger.explain(made, row),
    }
    if demand.known[row]:
        entry["demand"] = _rps(float(demand.value[row]))
        entry["perReplica"] = _rps(float(made.capacity.rate_rps[row]))
        entry["forDemand"] = int(made.asked[row])
        entry["hpa"] = int(made.hpa[row])
    if made.plan.ahead.known[row]:
        entry["forecast"] = _rps(float(made.plan.ahead.value[row]))
        entry["forForecast"] = int(made.foreseen[row])
        entry["quantile"] = f"{STANDARD.cdf(float(made.plan.score[row])):.3g}"
        entry["horizon"] = format_seconds(float(f"{made.plan.lead_seconds[row]:.3g}"))
    return [*kept, entry][-MAX_DECISIONS:]
