"""`python -m e2e.cluster`: the embedded cluster from a shell."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from . import api, checks, footprint, processes
from .components import NAMES, NODE
from .errors import ClusterError
from .images import IMAGES
from .lifecycle import down, load, up
from .paths import ADMIN_KUBECONFIG, BIN, LOG, RUN, STATE, cache_folder
from .progress import Progress

ABOUT: Final = """\
A real one-node Kubernetes cluster on this machine: etcd, API server, controller manager, scheduler, kubelet,
kube-proxy, containerd and CoreDNS as ordinary processes, and Prometheus in a pod. No Docker, no image registry.
Needs Linux and root.

  up          bring it up, or repair it: does only what is missing, whatever state the machine is in
  down        remove it: afterwards no process, mount, network device, rule, cgroup or file is left but the cache
  status      what runs, what answers
  kubeconfig  print the administrator's kubeconfig
  images      build images anew whose inputs changed, and load them: `images operator` after a change of the code
"""
WHERE: Final = f"""\
state   {RUN} (sockets, certificates) and {STATE} (etcd, images, logs); both go with `down`
cache   {cache_folder()} (FORETIDE_CACHE); safe to delete when the cluster is down
ports   6443 API server, 2379 and 2380 etcd, 10250 kubelet, 30090 Prometheus, all on this machine only
network 198.18.0.0/15, the benchmark range of RFC 2544: nothing outside this machine is reached or reachable
"""


def main(arguments: list[str] | None = None) -> int:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m e2e.cluster", description=ABOUT, epilog=WHERE, formatter_class=formatter
    )
    parser.add_argument("command", choices=("up", "down", "status", "kubeconfig", "images"), metavar="COMMAND")
    parser.add_argument("names", nargs="*", metavar="IMAGE", help=f"for images: {', '.join(IMAGES)} (default: all)")
    chosen = parser.parse_args(arguments)
    if unknown := [name for name in chosen.names if name not in IMAGES or chosen.command != "images"]:
        parser.error(f"unknown argument {unknown[0]}")
    try:
        return _run(chosen.command, tuple(chosen.names))
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on.", file=sys.stderr)
        return 130


def _run(command: str, names: tuple[str, ...]) -> int:
    progress = Progress()
    if command == "up":
        up(progress)
        print(f"export KUBECONFIG={ADMIN_KUBECONFIG} PATH={BIN}:$PATH   # then: kubectl get pods -A")
        print(f"Prometheus: {api.PROMETHEUS}   down again: python -m e2e.cluster down")
    elif command == "down":
        down(progress)
    elif command == "images":
        loaded = load(names or tuple(IMAGES), progress)
        print(
            f"Loaded {', '.join(loaded)}; running pods keep the old one until they restart."
            if loaded
            else "No image changed."
        )
    elif command == "kubeconfig":
        if not ADMIN_KUBECONFIG.exists():
            raise ClusterError("The embedded cluster is not up: run `python -m e2e.cluster up` first.")
        print(ADMIN_KUBECONFIG.read_text(), end="")
    else:
        return _status()
    return 0


def _status() -> int:
    """Prints what runs and what answers; 0 if everything does."""
    checks.machine()
    well = True
    for name in NAMES:
        found = processes.running(name)
        well &= found is not None
        state = f"runs (process {found[0].pid})" if found else "does not run"
        print(f"{name:24} {state}")
    answers = {
        "API server": api.apiserver_ready,
        f"node {NODE}": lambda: api.node_ready(NODE),
        "name resolution": api.dns_ready,
        "Prometheus": api.prometheus_ready,
    }
    for name, ready in answers.items():
        answered = ADMIN_KUBECONFIG.exists() and ready()
        well &= answered
        print(f"{name:24} {'answers' if answered else 'does not answer'}")
    counts = footprint.take().counts()
    print("On this machine now: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    if not well:
        print(f"Not all is well: logs in {LOG}; `python -m e2e.cluster up` starts what is missing.")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
