"""The demo from nothing to its summary, does it work, does it scale, how well?"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from e2e.demo import example, first, install, ready, season
from e2e.demo.example import Example
from e2e.demo.live import Screen
from e2e.demo.model import REPOSITORY, Samples, samples
from e2e.demo.story import Story
from e2e.demo.target import Progress, Target
from e2e.demo.watch import watching
from e2e.load import Plan, arrivals, read_profile, start
from e2e.load import Target as Url

SEED = 1998
TIMEOUT_SECONDS = 10.0
# One replica serves its SLO up to this share of what its CPU limit allows; beyond it queues grow.
USABLE_SHARE = 0.6
TRITON_SHARE = 1.25  # CPU of a whole request against that of the inference alone, measured
REPLICAS_AT_PEAK = 4.0
MACHINE_SHARE = 0.45  # of this machine's cores: the cluster, Prometheus and the load generator need the rest


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line may change."""

    seconds: float = 480.0
    peak_rps: float | None = None
    trace: Path = example.TRACE
    load: bool = True
    output: Path = REPOSITORY / "build" / "demo"


def demo(options: Options, *, began: float, console: Console, progress: Progress) -> tuple[Story, Example]:
    """Plays the demo; a KeyboardInterrupt ends it early and is noted in the story."""
    story, wanted = Story(), example.read()
    trace = read_profile(options.trace)
    story.season_seconds = season.of(trace, options.seconds)
    if options.load and (why := season.missing(trace, options.seconds)) is not None:
        console.print(why, soft_wrap=True)
    try:
        with ThreadPoolExecutor(max_workers=1) as pool:
            preparing = pool.submit(samples)  # three seconds of CPU while the cluster starts
            target = Target.connect(progress)
            story.shell_line, story.embedded = target.shell_line, target.embedded
            deploy(target, wanted, progress, season_seconds=story.season_seconds)
            known = preparing.result()
        url = reachable(f"http://{target.cluster.node_port_host}:{wanted.node_port}{wanted.infer_path}")
        greet(story, known, url, began=began, console=console)
        if options.load:
            plan = planned(options, wanted, known, url)
            drive(story, plan, target, wanted, console)
    except KeyboardInterrupt:
        story.interrupted = True
    return story, wanted


def deploy(target: Target, wanted: Example, progress: Progress, *, season_seconds: float | None) -> None:
    """Operator, model and service; returns when the service is ready."""
    with progress.step("installing the operator with Helm"):
        install.operator(target)
    with progress.step("putting the model on its volume"):
        install.model(target, wanted)
    with progress.step(f"InferenceService {wanted.namespace}/{wanted.name}") as step:
        install.service(target, season_seconds=season_seconds)
        ready.wait(target, wanted, note=step.note)


def reachable(url: str) -> Url:
    """The target of a URL; a cluster elsewhere is left alone, with the sentence that says so."""
    try:
        return Url.parse(url)
    except ValueError as error:
        raise first.NoAnswerError(f"the service is ready, but {error}") from error


def greet(story: Story, known: Samples, url: Url, *, began: float, console: Console) -> None:
    """The first answers."""
    story.first.append(first.answer(known, url))
    story.first_answer_seconds = round(time.monotonic() - began, 1)
    console.print(f"\nFirst correct answer after {story.first_answer_seconds} s. Some more, one file of each kind:")
    story.first.append(first.answers(known, url))
    first.show(console, known, story.first[-1])


def planned(options: Options, wanted: Example, known: Samples, url: Url) -> Plan:
    """The load: the trace compressed to the wanted time and scaled to what this machine can serve."""
    peak = options.peak_rps or sensible_peak_rps(
        known.seconds_per_file, replica_cores=wanted.replica_cores, machine_cores=os.cpu_count() or 1
    )
    profile = read_profile(options.trace).lasting(options.seconds).peaking_at(peak)
    return Plan(
        target=url,
        arrivals=arrivals(profile, seed=SEED),
        payloads=known.requests(url),
        check=known.direct,
        timeout_seconds=TIMEOUT_SECONDS,
    )


def sensible_peak_rps(seconds_per_file: float, *, replica_cores: float, machine_cores: int) -> float:
    """A peak that needs about four replicas, if this machine can serve that."""
    request_seconds = seconds_per_file * TRITON_SHARE
    one_replica = USABLE_SHARE * replica_cores / request_seconds
    return min(REPLICAS_AT_PEAK * one_replica, MACHINE_SHARE * machine_cores / request_seconds)


def drive(story: Story, plan: Plan, target: Target, wanted: Example, console: Console) -> None:
    """Sends the load and shows it; what was measured stays in the story, also after Ctrl-C."""
    seconds = float(plan.arrivals[-1]) if len(plan.arrivals) else 0.0
    two_days = "" if story.season_seconds is None else f", two days of {story.season_seconds:.0f} s"
    title = f"\n{len(plan.arrivals)} requests in {seconds:.0f} s{two_days}, a new connection each (Ctrl-C ends it):"
    with watching(target, wanted) as watch, start(plan) as running:
        story.looks = watch.looks
        try:
            with Screen(console, plan, wanted.slo_seconds, title) as screen:
                while not running.done:
                    running.poll(timeout_seconds=0.5)
                    so_far = running.so_far()
                    elapsed = time.time() - so_far.started_at
                    screen.show(so_far, watch.looks, elapsed_seconds=elapsed)
        except KeyboardInterrupt:
            story.interrupted = True
            running.stop()
        story.result = running.result()
