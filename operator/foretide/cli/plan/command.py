"""Reads the files, asks the cluster, prints the plan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from foretide.cli.cluster import Target, ask
from foretide.cli.exits import Exit, Stop
from foretide.cli.output import Format, PlanFormat, console, document, show
from foretide.cli.plan import planned, shown
from foretide.cli.plan.files import read, texts_of
from foretide.cli.plan.planned import Plan

if TYPE_CHECKING:
    from foretide.adapters.kubeconfig import Cluster


def run(
    target: Target,
    files: Sequence[str],
    *,
    load: str | None,
    fail_over_cost: float | None,
    offline: bool,
    form: PlanFormat,
) -> Exit:
    """Prints the plan; FOUND where something speaks against it."""
    loads = _loads(load)
    if fail_over_cost is not None and not loads:
        raise Stop("--fail-over-cost: costs follow from loads; say for which with --load, e.g. --load 50,200")
    plan = _plan(target, files, loads, offline=offline)
    faults = plan.faults(fail_over_cost)
    match form:
        case PlanFormat.MARKDOWN:
            print(shown.markdown(plan, faults), end="")  # noqa: T201 - what the command is for
        case PlanFormat.TABLE:
            show(shown.terminal(plan, faults, width=console().width))
        case _:
            print(document(shown.document(plan, faults), Format(form.value)), end="")  # noqa: T201
    return Exit.FOUND if faults else Exit.OK


def _plan(target: Target, files: Sequence[str], loads: Sequence[float], *, offline: bool) -> Plan:
    texts = texts_of(files)
    if offline:
        return planned.offline(read(texts, namespace=target.namespace or "default"), loads, "--offline")

    async def question(cluster: Cluster) -> Plan:
        return await planned.online(read(texts, namespace=cluster.namespace), loads, cluster)

    try:
        return ask(target, question)
    except Stop as stop:
        # A cluster that the user named must answer; where none was, a pull request is checked without one.
        if stop.code is not Exit.NO_ANSWER or target.context or target.kubeconfig:
            raise
        return planned.offline(read(texts, namespace=target.namespace or "default"), loads, str(stop))


def _loads(text: str | None) -> tuple[float, ...]:
    if text is None:
        return ()
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = (math.nan,)
    if not all(0.0 < one < 1e9 for one in found):
        raise Stop(f"--load: {text!r} must be items a second, above 0 and separated by commas; write it like 50,200")
    return found
