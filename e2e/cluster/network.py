"""The node's address, the pods' bridge and the routes: made by `up`, all gone after `down`, settings put back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from .commands import run
from .paths import RUN

# The benchmark range of RFC 2544: it is on no real network, so nothing collides and nothing is reachable from outside.
NODE_ADDRESS: Final = "198.18.255.1"
POD_RANGE: Final = "198.18.0.0/24"
BRIDGE_ADDRESS: Final = "198.18.0.1/24"
SERVICE_RANGE: Final = "198.19.0.0/16"
API_ADDRESS: Final = "198.19.0.1"
DNS_ADDRESS: Final = "198.19.0.10"
BRIDGE: Final = "ftbr0"

# What we set ourselves: packets go between pods, and NodePorts answer on 127.0.0.1.
NEEDED: Final = {"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/route_localnet": "1"}
# What the kubelet, kube-proxy and the bridge plugin set; `down` puts back whatever had another value before.
TOUCHED: Final = (
    *NEEDED,
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/bridge/bridge-nf-call-iptables",
    "net/ipv4/vs/conntrack",
    "net/ipv6/conf/all/forwarding",
    "net/netfilter/nf_conntrack_max",
    "net/netfilter/nf_conntrack_tcp_be_liberal",
    "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
    "net/netfilter/nf_conntrack_tcp_timeout_established",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
SYSCTL: Final = Path("/proc/sys")
SAVED: Final = RUN / "sysctl.json"


def settings() -> dict[str, str]:
    """The kernel settings that a node changes, as they are now; those that this kernel lacks are left out."""
    return {name: (SYSCTL / name).read_text().strip() for name in TOUCHED if (SYSCTL / name).exists()}


def ensure() -> None:
    """Address, bridge and routes stand, and packets are forwarded."""
    if not SAVED.exists():
        unfinished = SAVED.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(settings()))
        unfinished.rename(SAVED)
    addresses = {(link["ifname"], a["local"]) for link in _ip("address", "show") for a in link["addr_info"]}
    if ("lo", NODE_ADDRESS) not in addresses:
        run(["ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "lo"])
    if not _exists(BRIDGE):
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    if (BRIDGE, BRIDGE_ADDRESS.split("/")[0]) not in addresses:
        run(["ip", "address", "add", BRIDGE_ADDRESS, "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])
    # Before anything starts: a connection to a service that kube-proxy has not programmed yet would leave by the
    # default route, and the API server then keeps such a connection to a stranger open as if it were an aggregated API.
    run(["ip", "route", "replace", SERVICE_RANGE, "dev", BRIDGE])
    for name, value in NEEDED.items():
        _set(name, value)


def remove() -> None:
    """No address, link or route of ours is left, and the kernel settings are what they were before `up`."""
    for link in _ip("link", "show"):
        if link.get("master") == BRIDGE:
            run(["ip", "link", "delete", link["ifname"]])
    if _exists(BRIDGE):
        run(["ip", "link", "delete", BRIDGE])  # its routes go with it
    for link in _ip("address", "show"):
        if link["ifname"] == "lo" and any(a["local"] == NODE_ADDRESS for a in link["addr_info"]):
            run(["ip", "address", "delete", f"{NODE_ADDRESS}/32", "dev", "lo"])
    if SAVED.exists():
        for name, value in json.loads(SAVED.read_text()).items():
            _set(name, value)


def links() -> tuple[str, ...]:
    return tuple(link["ifname"] for link in _ip("link", "show"))


def addresses() -> tuple[str, ...]:
    found = ((link["ifname"], a) for link in _ip("address", "show") for a in link["addr_info"])
    return tuple(f"{name} {a['local']}/{a['prefixlen']}" for name, a in found)


def routes() -> tuple[str, ...]:
    """Every IPv4 and IPv6 route of every table."""
    text = run(["ip", "-4", "route", "show", "table", "all"]) + run(["ip", "-6", "route", "show", "table", "all"])
    return tuple(line.strip() for line in text.splitlines())


def _exists(link: str) -> bool:
    return link in links()


def _set(name: str, value: str) -> None:
    # Only on a difference: writing net/ipv4/ip_forward resets the forwarding of every single interface.
    file = SYSCTL / name
    if file.exists() and file.read_text().strip() != value:
        file.write_text(value)


def _ip(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(["ip", "-json", *words]) or "[]")
    return found
