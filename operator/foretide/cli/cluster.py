"""From the options of a command to a cluster; what the API server refuses becomes a sentence and an exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from foretide.cli.exits import Exit, Stop

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster, as whom, and where in it."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None  # None: that of the context


def ask(target: Target, question: Callable[..., Awaitable[T]]) -> T:
    """What `question` finds: it gets an `adapters.kubeconfig.Cluster`, whose namespace is the one to look into.

    Raises Stop, with NO_ANSWER where the cluster cannot be reached or refuses.
    """
    # kubernetes.aio takes 0.7 s of CPU to import: --help, crds and version do without.
    from foretide.adapters import kubeconfig
    from foretide.adapters.errors import AdapterError

    # Beside the task and not as its result: asyncio.run asks for the handler of SIGINT as it ends, and Python makes a
    # text of that, with the task and all that it returned: 0.13 s of CPU for a thousand services.
    answers: list[T] = []

    async def asked() -> None:
        async with kubeconfig.connect(kubeconfig=target.kubeconfig, context=target.context) as cluster:
            namespace = target.namespace or cluster.namespace
            answers.append(await question(kubeconfig.Cluster(cluster.api, namespace, cluster.server)))

    try:
        asyncio.run(asked())
    except AdapterError as error:
        raise Stop(sentence(str(error), error.reason), Exit.NO_ANSWER) from error
    (answer,) = answers
    return answer


def sentence(message: str, reason: str) -> str:
    """What went wrong, and what to do about it."""
    if reason == "NoKubeconfig":
        return f"{message}; name one with --kubeconfig, and a context of it with --context"
    if reason in ("Forbidden", "Unauthorized"):
        return f"{message}; ask for the role foretide-view (or view), or use another --context"
    if reason == "NotFound":
        return f"{message}; are the CustomResourceDefinitions installed? `kubectl foretide doctor` looks"
    if reason in ("Timeout", "ClientConnectorError", "ClientConnectorDNSError", "ConnectionRefusedError"):
        return f"{message}; is the cluster reachable from here? `kubectl cluster-info` asks the same server"
    return message
