"""How the demo went: the files, a table, where to look around, and the exit status."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from e2e.demo import chart, summary
from e2e.demo.days import comparison
from e2e.demo.example import Example
from e2e.demo.story import Story
from e2e.load import Outcome, report

REFUSED = 503
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def forget(folder: Path) -> None:
    """Removes the files of an earlier run, so that none is taken for this one's."""
    for name in ("summary.json", "demo.png"):
        (folder / name).unlink(missing_ok=True)


def tell(story: Story, wanted: Example, folder: Path, console: Console) -> int:
    """Writes and prints what came of it; returns the exit status."""
    told = summary.summarise(
        story.first_answer_seconds,
        [asked.result for asked in story.first],
        story.result,
        story.looks,
        slo_seconds=wanted.slo_seconds,
        season_seconds=story.season_seconds,
    )
    told.write(folder / "summary.json")
    console.print()
    console.print(table(told, wanted))
    if story.result is not None and len(story.result):
        for line in report.sentences(story.result, slo_seconds=wanted.slo_seconds):
            console.print(f"  {line}", markup=False)
        draw = folder / "demo.png"
        chart.draw(
            story.result,
            story.looks,
            slo_seconds=wanted.slo_seconds,
            objective=wanted.objective,
            season_seconds=story.season_seconds,
            compared=told.days or (),
            path=draw,
        )
        console.print(f"\nchart    {draw}", soft_wrap=True)
    console.print(f"numbers  {folder / 'summary.json'}", soft_wrap=True)
    for line in where_to_look(story, wanted):
        console.print(line, markup=False, soft_wrap=True)
    return exit_status(story, told)


def exit_status(story: Story, told: summary.Summary) -> int:
    """0 if there were answers, all of them right, and no request was lost.

    A 503 is no loss but the server's word: Foretide lets Triton refuse what could not be answered within the SLO any
    more. It counts as failed, and as outside of the SLO.
    """
    if story.interrupted:
        return INTERRUPTED
    results = [*(asked.result for asked in story.first), *([story.result] if story.result is not None else [])]
    lost = sum(int(((part.outcome != Outcome.OK) & (part.http_status != REFUSED)).sum()) for part in results)
    return 0 if told.answers_checked and not told.answers_wrong and not lost else 1


def table(told: summary.Summary, wanted: Example) -> Table:
    """The numbers for the reader."""
    rows = Table(title="Summary", title_justify="left", box=None, pad_edge=False, show_header=False)
    share = "-" if told.share_within_slo is None else f"{told.share_within_slo:.2%}"
    rows.add_row("first correct answer after", f"{told.seconds_to_first_answer or '-'} s")
    rows.add_row("requests, failed", f"{told.requests:,}, {told.failed_requests:,}")
    rows.add_row(f"within {wanted.slo_seconds * 1e3:g} ms (objective {wanted.objective} %)", share)
    if told.replicas_max is not None:
        rows.add_row("replicas, fewest to most", f"{told.replicas_min} to {told.replicas_max}")
    rows.add_row("answers checked, wrong", f"{told.answers_checked:,}, {told.answers_wrong:,}")
    if told.days is not None:
        rows.add_row("replica-seconds of each day", ", ".join(f"{day.replica_seconds:,.0f}" for day in told.days))
        rows.add_row("the two days", comparison(told.days))
    return rows


def where_to_look(story: Story, wanted: Example) -> list[str]:
    """Commands for the reader."""
    if not story.shell_line:
        return ["", "Stopped before the cluster was there. What was done so far stays; `make demo` goes on from it."]
    here = f"-n {wanted.namespace}"
    decisions = '{range .status.decisions[*]}{.time}  {.from} -> {.to}  {.text}{"\\n"}{end}'
    down = "make cluster-down" if story.embedded else f"kubectl delete namespace {wanted.namespace}"
    return [
        "",
        "The cluster is still there. To look around:"
        if not story.interrupted
        else "Stopped; the cluster is still there:",
        f"  {story.shell_line}",
        f"  kubectl {here} get infer,pods",
        f"  kubectl {here} get infer {wanted.name} -o jsonpath='{decisions}'",
        f"  .venv/bin/python -m e2e.demo.ask http://127.0.0.1:{wanted.node_port} README.md   # or any file of yours",
        f"To take it down: {down}",
    ]
