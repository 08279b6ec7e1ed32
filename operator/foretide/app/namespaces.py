"""The namespaces that the operator works in, where it was told some: without one that is gone the others go on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from foretide.adapters.errors import Rejected
from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.resources import SCALING_POLICY

log: Final = logging.getLogger(__name__)

# Its Role is in the namespace, and went with it.
NO_ROLE: Final = "Forbidden"


async def open_to(api: Kubernetes, told: Sequence[str]) -> tuple[str, ...]:
    """Those of them that may be looked into: kopf ends when it may not watch one of its namespaces.

    Raises:
        Rejected: it is none of them, which must not read as "all".
        Unavailable: not known now.
    """
    found, refusal = [], None
    for namespace in told:
        try:
            await api.list(SCALING_POLICY, namespace=namespace)  # there are few of them
        except Rejected as error:
            if error.reason != NO_ROLE:
                raise
            log.warning("namespace %s is left out: %s", namespace, error)
            refusal = error
        else:
            found.append(namespace)
    if refusal is not None and not found:
        raise refusal
    return tuple(found)
