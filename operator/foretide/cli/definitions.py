"""`crds` and `version`: what this program is made for."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from foretide import __version__
from foretide.api import group
from foretide.cli.cluster import Target, ask
from foretide.cli.exits import Exit, Stop
from foretide.cli.output import Format, document, facts, show

if TYPE_CHECKING:
    from foretide.adapters.kubeconfig import Cluster


def print_crds() -> Exit:
    """All of them, as one stream of YAML documents."""
    from foretide.api.crdgen import rendered

    print("---\n".join(rendered().values()), end="")  # noqa: T201 - what the command is for
    return Exit.OK


def print_version(target: Target, *, client_only: bool, form: Format) -> Exit:
    """This program's version, and the image of the operator where a cluster can be asked."""
    told: dict[str, Any] = {
        "version": __version__,
        "api": group.API_VERSION,
        "python": platform.python_version(),
        "operators": None,
    }
    why = "not asked"
    if not client_only:
        try:
            told["operators"] = _operators(target)
            why = "none is installed"
        except Stop as stop:
            why = f"not known: {stop}"
    if form is not Format.TABLE:
        print(document(told, form), end="")  # noqa: T201 - what the command is for
        return Exit.OK
    images = [f"{one['namespace']}/{one['name']}: {one['image']}" for one in told["operators"] or ()]
    pairs = [(name, str(told[name])) for name in ("version", "api", "python")]
    show(facts([*pairs, ("operator", "\n".join(images) or why)]))
    return Exit.OK


def _operators(target: Target) -> list[dict[str, str]]:
    from foretide.cli.operator import operators

    async def question(cluster: Cluster) -> list[dict[str, str]]:
        found = await operators(cluster)
        return [{"namespace": one.namespace, "name": one.name, "image": one.image} for one in found]

    return ask(target, question)
