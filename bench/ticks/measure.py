"""One run: everything is started, seeded and watched, and what the operator's ticks took becomes a record."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from kubernetes.aio import client, config

from bench.places import REPOSITORY
from bench.ticks import past, plane
from bench.ticks.loads import Loads, namespace
from bench.ticks.nodes import EXPORTER_PORT, POD_NETWORK, SHARDS
from bench.ticks.seed import seed
from foretide.adapters.kubernetes import opened
from foretide.adapters.promql import history, record
from foretide.api import group
from foretide.app.families import TICKS, TickResult
from foretide.scaling.policy import Quantity
from foretide.scaling.settings import ScalingSettings

CONTAINERFILE: Final = REPOSITORY / "operator" / "Containerfile"
PROMETHEUS: Final = "http://127.0.0.1:9090"
# Bytes of the answers to instant queries, compressed as they are sent.
ANSWERED: Final = 'prometheus_http_response_size_bytes_sum{handler="/api/v1/query"}'
SCRAPE_SECONDS: Final = 15
WINDOW_SECONDS: Final = ScalingSettings(scrape_interval_seconds=SCRAPE_SECONDS).rate_window_seconds
# Until all pods are told ready, and what they count has filled a window.
PODS_SECONDS: Final = 3_600.0
START_SECONDS: Final = 5_400.0
# What appears is provided for generously, as long as nothing is known of its errors; a quarter of an hour later all
# services would give that up at once, which only those do that were born within one tick.
SETTLED_SECONDS: Final = 1_200.0
OPERATOR_NAMESPACE: Final = "foretide-system"
LISTEN_PORT: Final = 8080
SEED_CONNECTIONS: Final = 32
# Blocks that are there are as they are: no merging of a fortnight beside the measurement.
BLOCK: Final = f"{past.BLOCK_HOURS}h"


@dataclass(frozen=True, slots=True)
class Order:
    """What to run."""

    services: int
    ticks: int
    programs: Path  # of the embedded cluster
    past: Path  # blocks of these services
    folder: Path  # for everything else; it is made anew
    core: int  # of the operator
    profile: bool = False


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of a process up to now, or between two moments."""

    at_seconds: float
    processor_seconds: float

    @classmethod
    def of(cls, pid: int) -> _Cost:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return cls(time.monotonic(), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))

    def cores_since(self, before: _Cost) -> float:
        return (self.processor_seconds - before.processor_seconds) / (self.at_seconds - before.at_seconds)


def measure(order: Order, say: Any) -> dict[str, Any]:
    """The record of one run; raises NotStartedError. To be called in a network namespace of its own."""
    shutil.rmtree(order.folder, ignore_errors=True)
    order.folder.mkdir(parents=True)
    loads = Loads.of(order.services)
    for words in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "route", "replace", "local", str(POD_NETWORK), "dev", "lo"],
    ):
        subprocess.run(words, check=True)
    with ExitStack() as stack:
        kubeconfig = stack.enter_context(plane.running(order.programs, order.folder))
        _prepare(order.programs, kubeconfig, {*map(namespace, range(order.services)), OPERATOR_NAMESPACE})
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        stack.enter_context(
            plane.started(
                "nodes",
                [sys.executable, "-m", "bench.ticks.nodes", str(order.services)],
                order.folder,
                environment,
            )
        )
        say("seeding")
        pods = asyncio.run(_seed(kubeconfig, loads))
        created = datetime.now(UTC) - timedelta(days=past.DAYS)
        plane.age(f"/registry/{group.GROUP}/{group.INFERENCE_SERVICES}/", created.strftime("%Y-%m-%dT%H:%M:%SZ"))
        prometheus = stack.enter_context(_prometheus(order))
        say(f"{pods} pods are to come")
        _until(lambda: _count("count(nv_inference_count)") >= pods, PODS_SECONDS, "the pods are scraped")
        time.sleep(WINDOW_SECONDS)
        say("the operator starts")
        began = time.time()
        operator = stack.enter_context(_operator(order, environment))
        ticks = order.folder / "ticks"
        _until(lambda: _is_back(ticks, order.services, operator), START_SECONDS, "the past is read")
        read_at = time.time()
        say(f"the past is read after {read_at - began:.0f} s")
        time.sleep(max(SETTLED_SECONDS - (read_at - began), 2 * SCRAPE_SECONDS))
        at_the_start = _given_up()
        say("ticks are measured")
        before, prometheus_before, answered = _Cost.of(operator.pid), _Cost.of(prometheus.pid), _of_prometheus(ANSWERED)
        first = len(_told(ticks))
        _until(lambda: len(_told(ticks)) >= first + order.ticks, START_SECONDS, "ticks", every_seconds=1.0)
        cores, prometheus_cores = (
            _Cost.of(operator.pid).cores_since(before),
            _Cost.of(prometheus.pid).cores_since(prometheus_before),
        )
        told = _told(ticks)[first : first + order.ticks]
        return {
            **_summary(told),
            "services": order.services,
            "pods": pods,
            "memory_mib": _memory_mib(operator.pid, "VmHWM"),
            "memory_mean_mib": _memory_mib(operator.pid, "VmRSS"),
            "cpu_cores": cores,
            "startup_seconds": read_at - began,
            "slowest_at_the_start_seconds": max(one["seconds"] for one in _told(ticks)[:first]),
            "given_up_at_the_start": at_the_start,
            "given_up": _given_up() - at_the_start,
            "first_tick_seconds": _first_whole(_told(ticks), order.services) - began,
            "answered_bytes_per_tick": (_of_prometheus(ANSWERED) - answered) / len(told),
            "prometheus": {
                "cpu_cores": prometheus_cores,
                "memory_mib": _memory_mib(prometheus.pid, "VmRSS"),
                "series": _of_prometheus("prometheus_tsdb_head_series"),
            },
            "known_minutes": told[-1]["known_minutes"],
            "load_average": os.getloadavg()[1],
        }


def _summary(told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Seconds of whole ticks and of their stages, and processor time."""

    def of(values: Sequence[float]) -> dict[str, float]:
        return {"p50": float(np.median(values)), "p99": float(np.quantile(values, 0.99))}

    seconds, processor = of([one["seconds"] for one in told]), of([one["processor_seconds"] for one in told])
    return {
        "ticks": len(told),
        "tick_p50_seconds": seconds["p50"],
        "tick_p99_seconds": seconds["p99"],
        "processor_p50_seconds": processor["p50"],
        "processor_p99_seconds": processor["p99"],
        "stages": {stage: of([one["stages"][stage] for one in told]) for stage in told[0]["stages"]},
        "queries_per_tick": max(one["queries"] for one in told),
        "scaled_per_tick": float(np.mean([one["scaled"] for one in told])),
        "failed_writes": sum(one["failed_writes"] for one in told),
        "postponed_per_tick": float(np.mean([one["postponed"] for one in told])),
        "unknown": sum(one["services"] - one["known"] for one in told),
        "without_metrics": sum(one["no_metrics"] is not None for one in told),
    }


def _prepare(programs: Path, kubeconfig: Path, namespaces: Set[str]) -> None:
    """Namespaces, and the kinds of the operator."""
    kubectl = [str(programs / "kubectl"), f"--kubeconfig={kubeconfig}"]
    kind = {"apiVersion": "v1", "kind": "Namespace"}
    items = [{**kind, "metadata": {"name": each}} for each in sorted(namespaces)]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    create = [*kubectl, "create", "-f", "-"]
    subprocess.run(create, input=listed, text=True, check=True, stdout=subprocess.DEVNULL)
    crds = str(REPOSITORY / "crds")
    subprocess.run([*kubectl, "apply", "--server-side", "-f", crds], check=True, stdout=subprocess.DEVNULL)
    wait = ["wait", "--for=condition=Established", "-f", crds, "--timeout=60s"]
    subprocess.run([*kubectl, *wait], check=True, stdout=subprocess.DEVNULL)


async def _seed(kubeconfig: Path, loads: Loads) -> int:
    configuration = client.Configuration()
    await config.load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
    async with opened(configuration, connections=SEED_CONNECTIONS) as api:
        return await seed(api, loads)


@contextmanager
def _prometheus(order: Order) -> Iterator[subprocess.Popen[bytes]]:
    """With the past of the services, the live load of their pods, the operator, and the recording rules."""
    data = order.folder / "prometheus"
    # Links to files that nobody writes.
    shutil.copytree(order.past, data, copy_function=os.link, ignore=shutil.ignore_patterns("done-*", "unfinished"))
    rules = [
        {"record": record(quantity), "expr": history(quantity, rate_window_seconds=WINDOW_SECONDS)}
        for quantity in (Quantity.SUCCESS, Quantity.FAILURE, Quantity.INFERENCE)
    ]
    (order.folder / "rules.json").write_text(
        json.dumps({"groups": [{"name": "history", "interval": "1m", "rules": rules}]})
    )
    shards = [
        {
            "targets": [f"127.0.0.1:{EXPORTER_PORT}"],
            "labels": {"__metrics_path__": f"/shard/{number}", "shard": str(number)},
        }
        for number in range(SHARDS)
    ]
    configuration = {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"},
        "rule_files": [str(order.folder / "rules.json")],
        "scrape_configs": [
            {"job_name": "triton", "honor_labels": True, "static_configs": shards},
            {
                "job_name": "foretide",
                "honor_labels": True,
                "static_configs": [{"targets": [f"127.0.0.1:{LISTEN_PORT}"]}],
            },
        ],
    }
    path = order.folder / "prometheus.json"  # JSON is YAML
    path.write_text(json.dumps(configuration))
    words = [
        *(str(order.programs / "prometheus"), f"--config.file={path}", f"--storage.tsdb.path={data}"),
        *("--storage.tsdb.retention.time=30d", f"--storage.tsdb.max-block-duration={BLOCK}"),
        f"--web.listen-address={PROMETHEUS.removeprefix('http://')}",
    ]
    with (
        plane.started("prometheus", words, order.folder) as process,
        plane.until_ok(process, f"{PROMETHEUS}/-/ready"),
    ):
        yield process


@contextmanager
def _operator(order: Order, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    settings = {
        "FORETIDE_PROMETHEUS_URL": PROMETHEUS,
        "FORETIDE_SCRAPE_INTERVAL_SECONDS": str(SCRAPE_SECONDS),
        "FORETIDE_POD_NAMESPACE": OPERATOR_NAMESPACE,
        "FORETIDE_LISTEN_PORT": str(LISTEN_PORT),
        "FORETIDE_LOG_FORMAT": "text",
    }
    words = ["taskset", "--cpu-list", str(order.core), sys.executable, "-m", "bench.ticks.operator"]
    words += [str(order.folder / "ticks")]
    words += [str(order.folder / "profile")] if order.profile else []
    with plane.started("operator", words, order.folder, {**environment, **_tuned(), **settings}) as process:
        yield process


def _tuned() -> dict[str, str]:
    """How the image tunes what the operator is linked with."""
    variables = re.findall(r"\b((?:MALLOC|OMP)_\w+)=(\S+)", CONTAINERFILE.read_text())
    if not variables:
        raise ValueError(f"{CONTAINERFILE} sets no variable of malloc or OpenMP")
    return dict(variables)


def _told(ticks: Path) -> list[dict[str, Any]]:
    """The ticks that came to their end so far."""
    if not ticks.exists():
        return []
    return [json.loads(line) for line in ticks.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _is_back(ticks: Path, services: int, operator: subprocess.Popen[bytes]) -> bool:
    """Whether a tick had all services and all of their past."""
    if operator.poll() is not None:
        raise plane.NotStartedError(f"the operator ended with {operator.returncode}; its log is beside {ticks}")
    told = _told(ticks)
    return bool(told) and told[-1]["services"] == services and told[-1]["backfilled"] == 1.0 and _any_known(told)


def _any_known(told: Sequence[Mapping[str, Any]]) -> bool:
    return bool(told[-1]["known_minutes"])


def _first_whole(told: Sequence[Mapping[str, Any]], services: int) -> float:
    """When the first tick ended that decided for all services."""
    return float(next(one["at"] for one in told if one["services"] == services))


def _memory_mib(pid: int, what: str) -> float:
    found = re.search(rf"^{what}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"/proc/{pid}/status has no {what}")
    return int(found[1]) / 1024.0


def _count(promql: str) -> float:
    try:
        answer = httpx.get(f"{PROMETHEUS}/api/v1/query", params={"query": promql}, timeout=30.0, trust_env=False)
        return sum(float(one["value"][1]) for one in answer.json()["data"]["result"])
    except (httpx.TransportError, ValueError, KeyError):
        return 0.0


def _of_prometheus(series: str) -> float:
    """What Prometheus tells of itself; 0 before it has answered anything."""
    return _shown(PROMETHEUS, series) or 0.0


def _given_up() -> int:
    """Ticks of the operator that came to no end in time."""
    series = f'{TICKS.name}{{result="{TickResult.TIMEOUT}"}}'
    count = _shown(f"http://127.0.0.1:{LISTEN_PORT}", series)
    if count is None:
        raise ValueError(f"the operator shows no {series}")
    return int(count)


def _shown(url: str, series: str) -> float | None:
    """What a program tells of itself; None where it does not."""
    text = httpx.get(f"{url}/metrics", timeout=30.0, trust_env=False).text
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def _until(probe: Any, seconds: float, what: str, *, every_seconds: float = 2.0) -> None:
    ends = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > ends:
            raise plane.NotStartedError(f"not within {seconds:g} s: {what}")
        time.sleep(every_seconds)
