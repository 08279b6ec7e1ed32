"""A plan for people: in a terminal, and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from foretide.cli.output import Column, clean, facts, figures, narrowed, table
from foretide.cli.plan.changes import Action, Change
from foretide.cli.plan.feasibility import Feasibility, Loaded, as_document
from foretide.cli.plan.fleet import Fleet, together
from foretide.cli.plan.fleet import as_document as fleet_document
from foretide.cli.plan.planned import Plan, ServicePlan

STYLES = {Action.CREATE: "green", Action.CHANGE: "yellow", Action.REFUSED: "bold red"}
HEADINGS = ("CLASS", "SLO", "BY", "ITEMS/S EACH", "LOAD", "REPLICAS", "COST/H")
DISPENSABLE = {"BY": 2, "ITEMS/S EACH": 1}  # where the terminal is narrow: what is asked for are replicas and cost


def terminal(plan: Plan, faults: Sequence[str], *, width: int) -> RenderableType:
    """All of it."""
    parts: list[RenderableType] = []
    if plan.note:
        parts.append(Text(f"no cluster was asked: {plan.note}", style="dim"))
    if plan.objects:
        parts += [Text("Objects", style="bold"), *_changes(plan.objects)]
    for one in plan.services:
        parts.append(Text(f"\nInferenceService {one.service.namespace}/{one.service.name}", style="bold"))
        if one.children:
            parts += [Text("children"), *_changes(one.children)]
        rows = list(_rows(one))
        columns = [Column(title, DISPENSABLE.get(title, 0), right=at > 2) for at, title in enumerate(HEADINGS)]
        if rows:
            made, hidden = table(columns, rows, width=width)
            parts += [made, *narrowed(hidden)]
    if plan.others:
        parts.append(Text(f"\npassed over, as not of Foretide: {', '.join(plan.others)}", style="dim"))
    if plan.costs:
        parts.append(Text("\ncost an hour at the most expensive load: " + _prices(plan.costs)))
    verdict = [("to look at", fault) for fault in faults] or [("result", "nothing speaks against it")]
    return Group(*parts, Text(""), facts(verdict))


def _changes(changes: Sequence[Change]) -> Iterator[RenderableType]:
    for one in changes:
        line = Text.assemble("  ", (f"{one.action:<10}", STYLES.get(one.action, "")), f"{one.kind}/{one.name}")
        if one.note:
            line.append_text(clean(f"   {one.note}"))
        yield line
        for each in one.diff:
            style = "green" if each.startswith("+") else "red" if each.startswith("-") else "dim"
            text = clean(f"      {each}")
            text.stylize(style)
            yield text


def _rows(one: ServicePlan) -> Iterator[list[str]]:
    for found in one.classes:
        name = found.hardware_class + (" (chosen)" if found.hardware_class in one.chosen else "")
        fixed = [name, _slo(found), str(found.source), figures(found.per_replica)]
        for load in found.loads or (None,):
            yield [*fixed, *_load(load, found.currency)]
            fixed = ["", "", "", ""]
    if len(one.classes) > 1 and one.has_loads:
        fixed = ["together", "", "", ""]
        for each in one.fleets:
            yield [*fixed, *_together(each)]
            fixed = ["", "", "", ""]


def _together(found: Fleet) -> list[str]:
    replicas = together(found) if found.kept else f"{together(found)}: too few"
    costs = "no price" if found.costs is None else _prices(found.costs)
    return [figures(found.items_per_second), replicas, costs]


def _slo(found: Feasibility) -> str:
    if found.feasible is None:
        return "not known"
    return "can be kept" if found.feasible else "cannot be kept"


def _load(load: Loaded | None, currency: str | None) -> list[str]:
    if load is None:
        return ["", "", ""]
    replicas = str(load.replicas) if load.kept else f"{load.replicas} of {load.needed} needed"
    cost = f"{figures(load.cost_per_hour)} {currency}" if load.cost_per_hour is not None else "no price"
    return [figures(load.items_per_second), replicas, cost]


def _prices(costs: Mapping[str, float]) -> str:
    return ", ".join(f"{figures(cost)} {currency}" for currency, cost in costs.items())


def markdown(plan: Plan, faults: Sequence[str]) -> str:
    """For a comment on a pull request."""
    lines = ["### Foretide plan", ""]
    lines += [f"- :x: {_cell(fault)}" for fault in faults] or ["- :white_check_mark: nothing speaks against it"]
    if plan.note:
        lines.append(f"- no cluster was asked: {_cell(plan.note)}")
    changes = [*plan.objects, *(child for one in plan.services for child in one.children)]
    if changes:
        lines += ["", "| object | what happens | |", "|---|---|---|"]
        lines += [f"| `{one.kind}/{one.name}` | {one.action} | {_cell(one.note)} |" for one in changes]
        lines += [part for one in changes if one.diff for part in _details(one)]
    for one in plan.services:
        rows = list(_rows(one))
        if rows:
            lines += ["", f"**{one.service.namespace}/{one.service.name}**", ""]
            lines += [f"| {' | '.join(title.lower() for title in HEADINGS)} |", "|---|---|---|---:|---:|---:|---:|"]
            lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    if plan.costs:
        lines += ["", f"Cost an hour at the most expensive load: {_prices(plan.costs)}"]
    return "\n".join(lines) + "\n"


def _details(one: Change) -> list[str]:
    # Four backticks: a text of a user may hold three.
    body = ["````diff", *one.diff, "````"]
    return ["", f"<details><summary>{one.kind}/{one.name}</summary>", "", *body, "", "</details>"]


def _cell(text: str) -> str:
    """Text within a line of Markdown."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def document(plan: Plan, faults: Sequence[str]) -> dict[str, Any]:
    """For scripts."""
    return {
        "faults": list(faults),
        "cluster": plan.cluster,
        "note": plan.note or None,
        "wrong": [
            {"file": one.file, "line": one.line, "column": one.column, "message": one.sentence} for one in plan.wrong
        ],
        "objects": [_change(one) for one in plan.objects],
        "services": [
            {
                "namespace": one.service.namespace,
                "name": one.service.name,
                "children": [_change(child) for child in one.children],
                "classes": [as_document(found, chosen=found.hardware_class in one.chosen) for found in one.classes],
                "fleets": [fleet_document(each) for each in one.fleets if one.has_loads],
            }
            for one in plan.services
        ],
        "costPerHour": dict(plan.costs),
        "passedOver": list(plan.others),
    }


def _change(one: Change) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "action": str(one.action),
        "diff": list(one.diff),
        "note": one.note or None,
    }
