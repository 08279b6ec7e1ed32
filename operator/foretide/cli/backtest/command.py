"""From the options to the results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foretide.api import parse
from foretide.api.problems import Problems
from foretide.api.scalingpolicy import ScalingPolicy
from foretide.cli.backtest import candidates, gather, loads, report
from foretide.cli.backtest.candidates import Candidate
from foretide.cli.backtest.case import Given, Load
from foretide.cli.backtest.gather import Chosen, Gathered
from foretide.cli.backtest.page import page
from foretide.cli.backtest.replay import tasks
from foretide.cli.backtest.results import joined
from foretide.cli.cluster import Target, ask
from foretide.cli.exits import Exit, Stop
from foretide.cli.output import Format, console, document, show
from foretide.cli.plan.files import read as read_documents
from foretide.cli.plan.files import texts_of
from foretide.simulate.command.processes import WorkerLost, perform_all
from foretide.simulate.command.progress import Progress
from foretide.simulate.command.refused import Refused
from foretide.simulate.compile import compile_all
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.policies import POLICIES
from foretide.simulate.traces import TraceError

if TYPE_CHECKING:
    from foretide.adapters.kubeconfig import Cluster


MOST_WORKERS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options."""

    chosen: Chosen
    file: Path | None
    series: tuple[str, ...]
    days: float
    policies: tuple[str, ...]
    prometheus_url: str | None
    given: Given
    fidelity: Fidelity
    whole: bool
    workers: int | None
    report: Path | None


def run(target: Target, asked: Asked, *, form: Format) -> Exit:
    """Prints the comparison, and writes the page where one is asked for."""
    try:
        return _run(target, asked, form)
    except (Refused, TraceError) as error:
        raise Stop(str(error)) from error
    except WorkerLost as error:
        raise Stop(str(error), Exit.FOUND) from error


def _run(target: Target, asked: Asked, form: Format) -> Exit:
    _check(target, asked)
    known = {text: candidates.listed(text) for text in asked.policies}
    given = {} if asked.file is None else loads.of_file(asked.file, series=asked.series, days=asked.days)
    gathered, tried = _gathered(target, asked, known, given)
    subjects = gathered.subjects
    compile_all()
    workers = asked.workers or min(os.cpu_count() or 1, MOST_WORKERS)
    work = tasks(
        subjects,
        tried,
        workers=workers,
        fidelity=asked.fidelity,
        whole=asked.whole,
        foreseen=asked.report is not None,
    )
    progress = Progress("backtest")
    try:
        runs = perform_all(work, workers=workers, report=progress.at)
    except ValueError as error:
        raise Stop(f"--policy: {error}") from error
    finally:
        progress.end()
    results = joined(subjects, tried, runs)
    how = report.How(work[0].fidelity, asked.whole)
    if asked.report is not None:
        _write(asked.report, page(subjects, results, how, gathered.passed_over))
    if form is Format.TABLE:
        show(report.terminal(subjects, results, how, gathered.passed_over, width=console().width))
    else:
        print(document(report.document(subjects, results, how, gathered.passed_over), form), end="")  # noqa: T201
    return Exit.OK


def _check(target: Target, asked: Asked) -> None:
    chosen = asked.chosen
    if chosen.is_none and asked.file is None:
        raise Stop("SERVICE: name one, whose own past is replayed, or give a load with -f FILE; or both")
    if chosen.is_many and chosen.names:
        raise Stop(f"-A, -l: choose among all services; leave out {', '.join(chosen.names)}, or the option")
    if chosen.everywhere and target.namespace is not None:
        raise Stop(f"-A: excludes -n {target.namespace}; give one of them")
    if not 0.0 < asked.days <= 60.0:
        raise Stop(f"--days: {asked.days:g} must be above 0 and at most 60")
    if asked.report is not None and not asked.report.parent.is_dir():
        raise Stop(f"--report: {asked.report.parent} is not a folder; name a file in one that is there")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(
            f"--report: {path} cannot be written ({error.strerror}); name a file in a folder of yours"
        ) from error


def _gathered(
    target: Target, asked: Asked, known: dict[str, Candidate | None], given: dict[str, Load]
) -> tuple[Gathered, list[Candidate]]:
    """What only the cluster can tell is asked of it, and nothing where all is given."""
    tried = {text: one or _of_file(text) for text, one in known.items()}
    named = [text for text, one in tried.items() if one is None]
    if asked.chosen.is_none:
        if named:
            raise Stop(_no_policy(named[0], "name a SERVICE, in whose namespace ScalingPolicies are looked for"))
        return gather.of_file(given, asked.given), [one for one in tried.values() if one is not None]
    if len(given) > 1:
        raise Stop(f"--series: {asked.file} has {len(given)} ({', '.join([*given][:5])}); name the one of the service")
    progress = Progress("reading the past")

    async def question(cluster: Cluster) -> tuple[Gathered, list[Candidate]]:
        for text in named:
            tried[text] = await _of_cluster(cluster, text)
        found = await gather.of_cluster(
            cluster,
            asked.chosen,
            asked.given,
            load=next(iter(given.values()), None),
            days=asked.days,
            prometheus_url=asked.prometheus_url,
            progress=progress,
        )
        return found, [one for one in tried.values() if one is not None]

    try:
        return ask(target, question)
    finally:
        progress.end()


def _of_file(text: str) -> Candidate | None:
    """The first ScalingPolicy of a YAML file."""
    if not text.endswith((".yaml", ".yml")):
        return None
    found = read_documents(texts_of([text]), namespace="default")
    if found.wrong:
        raise Stop(f"--policy: {found.wrong[0]}")
    policies = [typed for _, typed in found.good if isinstance(typed, ScalingPolicy)]
    if not policies:
        raise Stop(f"--policy: {text} has no ScalingPolicy; name a file that has one")
    return Candidate(f"foretide, {policies[0].name}", spec=policies[0].spec)


async def _of_cluster(cluster: Cluster, name: str) -> Candidate:
    from foretide.adapters.resources import SCALING_POLICY

    raw = await cluster.api.get(SCALING_POLICY, namespace=cluster.namespace, name=name)
    if raw is None:
        raise Stop(_no_policy(name, f"nor is there a ScalingPolicy of that name in {cluster.namespace}"))
    parsed = parse.scaling_policy(raw)
    if isinstance(parsed, Problems):
        raise Stop(f"ScalingPolicy {name} breaks rules: {parsed.message}")
    return Candidate(f"foretide, {name}", spec=parsed.spec)


def _no_policy(name: str, more: str) -> str:
    there = ", ".join(name for name, entry in POLICIES.items() if not entry.divides)
    return f"--policy: {name} is not one of {there}; {more}"


def policies_of(policy: Sequence[str], against: Sequence[str]) -> tuple[str, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys([*policy, *against]))
