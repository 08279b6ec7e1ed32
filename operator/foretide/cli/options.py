"""The options that commands share, with the words that --help says of them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from foretide.cli.output import Format

Kubeconfig: TypeAlias = Annotated[
    str | None, typer.Option("--kubeconfig", metavar="FILE", help="Kubeconfig file. [default: as kubectl finds it]")
]
Context: TypeAlias = Annotated[
    str | None, typer.Option("--context", metavar="NAME", help="Context of the kubeconfig. [default: its current one]")
]
Namespace: TypeAlias = Annotated[
    str | None, typer.Option("--namespace", "-n", metavar="NAME", help="Namespace. [default: that of the context]")
]
Output: TypeAlias = Annotated[
    Format, typer.Option("--output", "-o", metavar="table|json|yaml", help="How it is printed.", show_default=True)
]
PrometheusUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--prometheus",
        metavar="URL",
        help="Where Prometheus answers from here. [default: the operator's, through the API server]",
    ),
]
