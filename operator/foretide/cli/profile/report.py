"""What came of a profile: a screen with charts, and the ModelProfile. Pure."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from foretide.api import group
from foretide.api.durations import format_seconds
from foretide.api.inferenceservice import InferenceService
from foretide.cli.output import Column, Format, document, figures, table
from foretide.cli.profile.law import Measured, is_disturbed, rate_found, tells
from foretide.cli.profile.steps import Closed, Open

EVIDENCE_ANNOTATION: Final = f"{group.GROUP}/evidence"
# Apart by more, the table and the measurement do not agree.
AGREE: Final = 0.10
BAR: Final = 32
MOST_SIZES: Final = 16
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All that was measured of one service on one class."""

    service: InferenceService
    hardware_class: str
    where: str  # a pod, or an address
    image: str  # of Triton; empty where it is not known
    measured_at: str
    found: Measured
    closed: tuple[Closed, ...]
    opened: tuple[Open, ...]
    cold_start_seconds: float | None

    @property
    def rate_found(self) -> float | None:
        """Items a second at which the objective was just kept, by the open loop."""
        service = self.service
        return rate_found(self.opened, slo_seconds=service.latency_seconds, objective=service.objective)

    @property
    def disagrees(self) -> bool:
        """Whether the open loop found another rate than the table."""
        found = self.rate_found
        return found is not None and abs(found / self.found.rate - 1.0) > AGREE


def manifest(profile: Profile, *, name: str) -> dict[str, Any]:
    """The ModelProfile, with what it rests on."""
    found = profile.found
    cold = profile.cold_start_seconds
    spec: dict[str, Any] = {
        "service": profile.service.name,
        "hardwareClass": profile.hardware_class,
        "batchTime": {"perItem": _duration(found.per_item_seconds), "fixed": _duration(found.fixed_seconds)},
        "maxBatchSize": found.largest,
    }
    if cold is not None:
        spec["coldStart"] = format_seconds(float(min(max(math.ceil(cold), 1), 3_600)))
    return {
        "apiVersion": group.API_VERSION,
        "kind": group.MODEL_PROFILE_KIND,
        "metadata": {
            "name": name,
            "namespace": profile.service.namespace,
            "annotations": {EVIDENCE_ANNOTATION: json.dumps(evidence(profile), separators=(",", ":"))},
        },
        "spec": spec,
    }


def evidence(profile: Profile) -> dict[str, Any]:
    """For scripts, and for who asks in a year where the numbers are from."""
    found, slo, rate = profile.found, profile.service.spec.slo, profile.rate_found
    return {
        "measuredAt": profile.measured_at,
        "where": profile.where,
        "image": profile.image or None,
        "modelVersion": profile.service.spec.model.version,
        "slo": {"objective": slo.objective, "latency": slo.latency},
        "feasible": found.feasible,
        "itemsPerSecond": round(found.rate, 3),
        "itemsPerSecondFullBatches": round(found.saturation, 3),
        "itemsPerSecondMeasured": None if rate is None else round(rate, 3),
        "batches": [[one.items, one.executions, round(1e3 * one.seconds, 4)] for one in found.sizes],
        "openLoop": [[round(one.rate, 3), one.sent, one.in_time] for one in profile.opened],
    }


def terminal(profile: Profile, *, name: str, width: int, took_seconds: float) -> RenderableType:
    """For a person."""
    service, found = profile.service, profile.found
    head = Text.assemble(
        (f"{service.namespace}/{service.name}", "bold"),
        f" on {profile.hardware_class}: measured in {profile.where}, {took_seconds:.0f} s",
    )
    law = f"{format_seconds(found.fixed_seconds)} + {format_seconds(found.per_item_seconds)} per item"
    parts: list[RenderableType] = [
        head,
        Text(f"\nBatch time: {law}, up to {found.largest} items", style="bold"),
        _sizes(found, width),
    ]
    if not found.feasible:
        single = format_seconds(float(f"{found.seconds(1):.3g}"))
        return Group(
            *parts, Text(f"\nNot feasible: a single item takes {single}, the SLO is {service.spec.slo.latency}")
        )
    promise = f"{service.spec.slo.objective} % within {service.spec.slo.latency}"
    parts += [
        Text(f"\nCapacity of a replica: {figures(found.rate)} items/s with {promise}", style="bold"),
        Text(f"by the table that the operator decides by; full batches make {figures(found.saturation)} items/s"),
    ]
    if profile.opened:
        parts += [Text("\nOpen loop, single items at random times", style="bold"), _opened(profile, width)]
        parts += [Text(_verdict(profile))]
    if profile.cold_start_seconds is not None:
        start = format_seconds(profile.cold_start_seconds)
        parts.append(Text(f"\nCold start: {start}, of one pod; its node may have had the image already"))
    made = manifest(profile, name=name)
    del made["metadata"]["annotations"]  # for scripts
    return Group(*parts, Text("\nModelProfile", style="bold"), Text(document(made, Format.YAML).rstrip()))


def _sizes(found: Measured, width: int) -> RenderableType:
    """Each size of a batch with its time as a bar, and where the law has it."""
    step = math.ceil(len(found.sizes) / MOST_SIZES)
    shown = [one for at, one in enumerate(found.sizes) if at % step == 0 or at == len(found.sizes) - 1]
    most = max(max(one.seconds, found.seconds(one.items)) for one in shown)
    rows = [
        [
            str(one.items),
            str(one.executions),
            _short(one.seconds),
            _short(found.seconds(one.items)),
            bar(one.seconds / most, found.seconds(one.items) / most),
        ]
        for one in shown
    ]
    columns = (Column("ITEMS", right=True), Column("BATCHES", 2, right=True), Column("MEASURED", right=True))
    made, _ = table((*columns, Column("LAW", right=True), Column("│ is the law", 1)), rows, width=width)
    return made


def _opened(profile: Profile, width: int) -> RenderableType:
    service = profile.service
    slo, objective = service.latency_seconds, service.objective
    most = 1.5 * slo
    rows = []
    for one in sorted(profile.opened, key=lambda each: each.rate):
        late = one.quantile_seconds
        note = ""
        if is_disturbed(one, slo_seconds=slo):
            note = "the generator was late: not counted"
        elif not tells(one, slo_seconds=slo, objective=objective):
            note = "too few requests to tell"
        rows.append(
            [
                f"{figures(one.rate)}/s",
                str(one.sent),
                f"{100.0 * one.kept_share:.2f}%",
                _short(late) if math.isfinite(late) else "?",
                bar(min(late / most, 1.0), slo / most),
                note,
            ]
        )
    columns = (Column("RATE", right=True), Column("SENT", 2, right=True), Column("IN TIME", right=True))
    quantile = f"P{service.spec.slo.objective}"
    made, _ = table(
        (*columns, Column(quantile, right=True), Column("│ is the SLO", 1), Column("", 3)), rows, width=width
    )
    return made


def _verdict(profile: Profile) -> str:
    rate, found, objective = profile.rate_found, profile.found, profile.service.spec.slo.objective
    if rate is None:
        slo, share = profile.service.latency_seconds, profile.service.objective
        told = [one for one in profile.opened if tells(one, slo_seconds=slo, objective=share)]
        if not told:
            return "No step tells: --open-seconds sends more requests, on a quieter machine"
        kept = [one.rate for one in told if one.kept_share >= share]
        if kept:
            return f"Kept up to {figures(max(kept))} items/s, the most that was tried and told"
        return (
            f"Not kept at {figures(min(one.rate for one in told))} items/s, the least that was tried: look at the pod"
        )
    off = 100.0 * (rate / found.rate - 1.0)
    way = f"{abs(off):.0f} % {'above' if off >= 0.0 else 'below'} the table"
    words = f"{objective} % are in time up to {figures(rate)} items/s: {way}"
    return words if not profile.disagrees else f"{words}; the operator corrects it by the latencies it sees"


def bar(share: float, mark: float) -> str:
    """A bar of that share of the width, and a line at the mark; both from 0 to 1."""
    eighths = round(8 * BAR * share)
    drawn = list("█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else ""))
    drawn += " " * (BAR + 1 - len(drawn))
    drawn[min(round(BAR * mark), BAR)] = "│"
    return "".join(drawn).rstrip()


def _short(seconds: float) -> str:
    return format_seconds(float(f"{seconds:.3g}"))


def _duration(seconds: float) -> str:
    """To a microsecond, in as few digits as that takes."""
    return format_seconds(float(f"{seconds:.4g}"))
