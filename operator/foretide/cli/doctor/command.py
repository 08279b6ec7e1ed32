"""Runs the checks and prints what they found."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from foretide.adapters.errors import AdapterError
from foretide.adapters.kubeconfig import Cluster
from foretide.cli.cluster import Target, ask
from foretide.cli.doctor import checks
from foretide.cli.doctor.findings import Finding, Level, exit_of, unknown
from foretide.cli.doctor.scraping import scraping
from foretide.cli.exits import Exit
from foretide.cli.operator import Operator, operators
from foretide.cli.output import Format, clean, document, show

STYLES: Final = {Level.OK: "green", Level.UNKNOWN: "yellow", Level.WARNING: "yellow", Level.FAILURE: "bold red"}


def run(target: Target, *, prometheus_url: str | None, form: Format) -> Exit:
    """All checks, whatever one of them finds."""

    async def question(cluster: Cluster) -> list[Finding]:
        await cluster.api.now()  # a cluster out of reach is one sentence, not one of each check
        return await _findings(cluster, prometheus_url)

    findings = ask(target, question)
    if form is Format.TABLE:
        show(_shown(findings))
    else:
        print(document({"findings": [one.as_document() for one in findings]}, form), end="")  # noqa: T201
    return exit_of(findings)


async def _findings(cluster: Cluster, prometheus_url: str | None) -> list[Finding]:
    found = [one async for one in checks.crds(cluster)]
    installed: list[Operator] = []
    try:
        installed = await operators(cluster)
        found += [one async for one in checks.running(cluster, installed)]
    except AdapterError as error:
        found.append(unknown("operator", error))
    for operator in installed:
        found += [one async for one in checks.permissions(cluster, operator)]
    first = installed[0] if installed else None
    found += [one async for one in scraping(cluster, first, prometheus_url)]
    found += [one async for one in checks.rivals(cluster)]
    found += [one async for one in checks.services(cluster, installed)]
    found += [one async for one in checks.own_clock(cluster, datetime.now(UTC).timestamp())]
    return found


def _shown(findings: list[Finding]) -> Group:
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for one in findings:
        text = clean(one.message)
        if one.fix:
            text.append(f"\nfix: {one.fix}", style="dim")
        grid.add_row(Text(str(one.level), style=STYLES[one.level]), one.check, text)
    counts = {level: sum(one.level is level for one in findings) for level in Level}
    summary = ", ".join(f"{count} {level}" for level, count in counts.items() if count)
    return Group(grid, Text(f"\n{len(findings)} checks: {summary}"))
