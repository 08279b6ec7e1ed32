"""The order of start and stop: endpoint, Lease, loops; then the last Events, and the Lease is given back."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from typing import Final

from foretide.adapters.clock import SystemClock
from foretide.adapters.events import KubernetesEvents
from foretide.adapters.kubernetes import KubernetesApi, connect
from foretide.adapters.lease import LEASE_NAME
from foretide.adapters.pod_http import PodHttp
from foretide.adapters.prometheus import PrometheusApi
from foretide.adapters.prometheus_access import Access
from foretide.adapters.scrape import ScrapeHttp
from foretide.adapters.triton import TritonHttp
from foretide.app.election import Election, election
from foretide.app.endpoint import Endpoint
from foretide.app.loops import Loops
from foretide.app.metrics import SelfMetrics
from foretide.app.settings import Settings
from foretide.app.stopping import unless
from foretide.control.autoscale import Autoscaler, Ports
from foretide.control.backfill import Backfill
from foretide.control.foresee import Guarded
from foretide.control.policies import Policies
from foretide.control.reconcile import Reconciler
from foretide.control.world import World
from foretide.scaling.brain import Brain
from foretide.scaling.settings import ScalingSettings
from foretide.serving.download import DownloadSettings
from foretide.serving.manifests import ServingSettings

log: Final = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another operator may lead by now: this process must end at once."""


async def run(settings: Settings) -> None:
    """Runs the operator until SIGTERM or SIGINT; raises when it must be restarted."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    metrics = SelfMetrics()
    prometheus, pods = PrometheusApi(_access(settings)), PodHttp()
    try:
        identity = settings.pod_name or f"{socket.gethostname()}-{os.getpid()}"
        async with (
            connect() as api,
            election(connect, namespace=settings.pod_namespace, name=LEASE_NAME, identity=identity) as lease,
        ):
            fenced = api.fenced(lambda: lease.is_held)
            events = KubernetesEvents(fenced, SystemClock(), instance=identity)
            loops = _loops(settings, fenced, events, prometheus, pods, metrics)
            endpoint = Endpoint(
                port=settings.listen_port,
                alive=lambda: _stuck(loops),
                ready=lambda: None,  # a standby is ready: it takes over within one lease
                metrics=metrics.exposition,
            )
            runner = await endpoint.start()
            try:
                await _lead(settings, lease, loops, events, metrics, stop, identity=identity)
            finally:
                await runner.cleanup()
    finally:
        prometheus.close()
        await pods.close()


async def _lead(
    settings: Settings,
    lease: Election,
    loops: Loops,
    events: KubernetesEvents,
    metrics: SelfMetrics,
    stop: asyncio.Event,
    *,
    identity: str,
) -> None:
    log.info("%s waits for Lease %s/%s", identity, settings.pod_namespace, LEASE_NAME)
    if not await unless(stop, lease.acquire()):
        await lease.release()  # it may have been taken just then; another's is left alone
        return
    metrics.leader.set(1)
    log.info("%s leads", identity)
    holding = asyncio.create_task(lease.hold())
    working = asyncio.create_task(loops.run(stop))
    try:
        async with events.posting():
            await asyncio.wait({holding, working}, return_when=asyncio.FIRST_COMPLETED)
            if holding.done():
                raise LeaseLost(f"Lease {settings.pod_namespace}/{LEASE_NAME} could not be renewed in time")
            working.result()
    finally:
        working.cancel()
        holding.cancel()
        await asyncio.gather(working, holding, return_exceptions=True)
        metrics.leader.set(0)
        # Also after a fault: the next operator need not wait for a Lease that nobody holds. One that was lost is
        # another's by now, and release() leaves it alone.
        await lease.release()
        log.info("%s stopped", identity)


def _access(settings: Settings) -> Access:
    prefix = "prometheus_"
    given = {name: value for name, value in settings if name.startswith(prefix)}
    return Access(**{name.removeprefix(prefix): value for name, value in given.items()})


def _loops(
    settings: Settings,
    api: KubernetesApi,
    events: KubernetesEvents,
    prometheus: PrometheusApi,
    pods: PodHttp,
    metrics: SelfMetrics,
) -> Loops:
    world, clock = World(), SystemClock()
    ports = Ports(
        kubernetes=api,
        prometheus=prometheus,
        triton=TritonHttp(pods),
        scraper=ScrapeHttp(pods),
        events=events,
        clock=clock,
        namespaces=settings.namespaces,
    )
    scaling = ScalingSettings(
        tick_seconds=settings.tick_seconds,
        scale_down_hold_seconds=settings.scale_down_hold_seconds,
        scrape_interval_seconds=settings.scrape_interval_seconds,
    )
    policies = Policies(world)
    brain = Brain(scaling, foresee=Guarded())
    backfill = Backfill(
        prometheus,
        world,
        clock,
        rate_window_seconds=scaling.rate_window_seconds,
        history_seconds=policies.history_seconds,
        namespaces=settings.namespaces,
    )
    return Loops(
        settings=settings,
        api=api,
        world=world,
        reconciler=Reconciler(
            api=api,
            events=events,
            world=world,
            clock=clock,
            settings=ServingSettings(
                drain_seconds=settings.drain_seconds,
                download=DownloadSettings(
                    image=settings.download_image,
                    flags=tuple(settings.download_flags.split()),
                    size_limit=settings.download_size_limit,
                ),
            ),
        ),
        autoscaler=Autoscaler(ports, world, brain, backfill, policies),
        backfill=backfill,
        clock=clock,
        metrics=metrics,
    )


def _stuck(loops: Loops) -> str | None:
    """Why the kubelet should restart this process: a leader whose ticks came to an end."""
    limit_seconds = 3 * loops.tick_deadline_seconds
    if loops.started and loops.tick_age_seconds > limit_seconds:
        return f"no tick for {loops.tick_age_seconds:.0f} s (limit {limit_seconds:.0f} s)"
    return None
