"""The iptables rules and chains of Kubernetes: counted, and removed without touching anybody else's."""

from __future__ import annotations

import re
import shutil
from typing import Final

from .commands import run

OURS: Final = re.compile(r"KUBE-[A-Z0-9-]+|CNI-[0-9a-f]{24}|FORETIDE[A-Z-]*")
FAMILIES: Final = ("iptables", "ip6tables")


def removal(saved: str) -> str:
    """From what iptables-save prints, what `iptables-restore --noflush` must read to remove all that is Kubernetes'.

    For each table: the rules of other chains that mention one of ours, then the content of ours, then ours.
    """
    script: list[str] = []
    for table, lines in _tables(saved).items():
        chains = [line[1:].split()[0] for line in lines if line.startswith(":")]
        ours = [chain for chain in chains if OURS.fullmatch(chain)]
        rules = [line for line in lines if line.startswith("-A ") and _touches(line, set(ours))]
        if ours or rules:
            script += [f"*{table}", *(f"-D {rule[3:]}" for rule in rules)]
            script += [f"-F {chain}" for chain in ours] + [f"-X {chain}" for chain in ours] + ["COMMIT"]
    return "\n".join(script) + "\n" if script else ""


def lines() -> tuple[str, ...]:
    """Every rule and every chain that is not built in, of both families, without counters."""
    return tuple(
        f"{family} {table} {line.split(' [')[0]}"
        for family in FAMILIES
        for table, content in _tables(_save(family)).items()
        for line in content
        if line.startswith("-A ") or line.split()[1] == "-"
    )


def remove() -> None:
    """Afterwards no rule or chain of Kubernetes is left, in either family."""
    for family in FAMILIES:
        if script := removal(_save(family)):
            run([f"{family}-restore", "--noflush"], stdin=script)


def _save(family: str) -> str:
    return run([f"{family}-save"]) if shutil.which(f"{family}-save") else ""


def _tables(saved: str) -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    current: list[str] = []
    for line in saved.splitlines():
        if line.startswith("*"):
            current = tables.setdefault(line[1:], [])
        elif line.startswith((":", "-A ")):
            current.append(line)
    return tables


def _touches(rule: str, ours: set[str]) -> bool:
    """A rule in somebody else's chain that jumps to one of our chains (`-A INPUT ... -j KUBE-FIREWALL`)."""
    words = rule.split()
    return words[1] not in ours and any(
        words[i] in ("-j", "-g") and words[i + 1] in ours for i in range(len(words) - 1)
    )
