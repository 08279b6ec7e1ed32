"""The command line as a user sees it: every command, its options and its help. What they do is in modules of their own,
imported when a command is run, so that --help and completion answer at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from foretide.cli.cluster import Target
from foretide.cli.exits import Exit, Stop
from foretide.cli.options import Context, Kubeconfig, Namespace, Output, PrometheusUrl
from foretide.cli.output import Format, PlanFormat

EXIT_CODES: Final = "\b\nExit codes:\n" + "\n".join(f"  {code.value:<4} {code.short}" for code in Exit)

app: Final = typer.Typer(
    name="kubectl foretide",
    help="Ask Foretide: how services do, why they have as many replicas, what a change would do. Of a cluster nothing "
    "is written, but by `profile`.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def examples(*lines: str) -> str:
    """An epilog that keeps its lines."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@app.command(
    short_help="How services do: SLO, budget, load, cost",
    epilog=examples(
        "kubectl foretide status -A               # every service, one line each",
        "kubectl foretide status ranker --watch   # one screen, until Ctrl-C",
        "kubectl foretide status -A -o json | jq '.items[] | select(.state != \"OK\") | .name'",
    ),
)
def status(
    service: Annotated[
        str | None, typer.Argument(metavar="SERVICE", help="One service. [default: all of the namespace]")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it anew every 5 s, until Ctrl-C.")] = False,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Services of all namespaces.")] = False,
    prometheus: PrometheusUrl = None,
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> Exit:
    """How services do: SLO, error budget, load, replicas, cost, and what decided last.

    What the status of the InferenceService tells, and from the operator's metrics in Prometheus the load of now and
    what is provided for when a replica started now is ready (LOAD and FORECAST, in items a second); where Prometheus
    cannot be asked they are of the last change of replicas, and a line says so. BURN is over the shortest window, 1
    being the rate at which the error budget just lasts. ? is what is not known: never 0.
    """
    from foretide.cli import status as command

    target = Target(kubeconfig, context, namespace)
    return command.run(target, service, everywhere=everywhere, watch=watch, prometheus_url=prometheus, form=output)


@app.command(
    short_help="Why a service has so many replicas",
    epilog=examples(
        "kubectl foretide explain ranker             # why so many replicas now?",
        "kubectl foretide explain ranker --at 40m    # and 40 minutes ago?",
        "kubectl foretide explain ranker --at 2026-11-28T14:05:00Z -o json",
    ),
)
def explain(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="Name of the InferenceService.")],
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="A time in UTC, or how long ago. [default: now]")
    ] = None,
    prometheus: PrometheusUrl = None,
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> Exit:
    """Why a service has, or had, so many replicas.

    What was known, how many replicas each of it asks for, which bound won, and what the HorizontalPodAutoscaler would
    have run. It is the record of the decision itself, which status keeps for the last ten changes: --at finds the one
    that was in force then. For what is older it asks Prometheus for the operator's own metrics of that time: replicas,
    when their number changed, load, forecast and capacity then, and the conditions. What is not recorded there is said
    to be so.
    """
    from foretide.cli import explain as command

    target = Target(kubeconfig, context, namespace)
    return command.run(target, service, at=at, prometheus_url=prometheus, form=output)


@app.command(
    short_help="Whether Foretide can work in this cluster",
    epilog=examples(
        "kubectl foretide doctor",
        "kubectl foretide doctor -o json | jq '.findings[] | select(.level != \"ok\")'",
        "kubectl foretide doctor --prometheus http://127.0.0.1:9090   # by a port-forward of yours",
    ),
)
def doctor(
    prometheus: PrometheusUrl = None,
    output: Output = Format.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> Exit:
    """Whether Foretide can work in this cluster; each finding with the way out.

    CustomResourceDefinitions, the operator, its Lease, permissions and clock, Prometheus and what it scrapes, other
    scalers on the same Deployments, and what services say. What you may not look at is told as unknown. The exit code
    is that of the worst finding: 1 for a failure, 4 where there are only warnings or unknowns.
    """
    from foretide.cli.doctor import command

    return command.run(Target(kubeconfig, context), prometheus_url=prometheus, form=output)


@app.command(
    short_help="Print the CustomResourceDefinitions",
    epilog=examples(
        "kubectl foretide crds | kubectl apply --server-side -f -",
        "kubectl foretide crds | kubectl diff --server-side -f -",
    ),
)
def crds() -> Exit:
    """Print the CustomResourceDefinitions of this version as YAML."""
    from foretide.cli import definitions

    return definitions.print_crds()


@app.command(
    short_help="Print versions",
    epilog=examples("kubectl foretide version", "kubectl foretide version --client -o json"),
)
def version(
    client: Annotated[bool, typer.Option("--client", help="Of this program only; no cluster is asked.")] = False,
    output: Output = Format.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> Exit:
    """Print the version of this program, and the operator's image."""
    from foretide.cli import definitions

    return definitions.print_version(Target(kubeconfig, context), client_only=client, form=output)


@app.command(
    short_help="What an apply would do, and cost",
    epilog=examples(
        "kubectl foretide plan -f service.yaml --load 50,200",
        "helm template shop ./chart | kubectl foretide plan -f -",
        "kubectl foretide plan -f deploy/ --offline -o markdown --load 200 --fail-over-cost 10   # in a pull request",
    ),
)
def plan(
    files: Annotated[
        list[str],
        typer.Option("--filename", "-f", metavar="FILE", help="YAML file, folder, or - for stdin; repeatable."),
    ],
    load: Annotated[
        str | None, typer.Option("--load", metavar="RATES", help="Items a second to plan for, e.g. 50,200.")
    ] = None,
    fail_over_cost: Annotated[
        float | None,
        typer.Option("--fail-over-cost", metavar="PRICE", help="Exit with 1 where an hour costs more, at the largest."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="By the files alone; no cluster is asked.")] = False,
    output: Annotated[
        PlanFormat, typer.Option("--output", "-o", metavar="table|json|yaml|markdown", help="How it is printed.")
    ] = PlanFormat.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> Exit:
    """What an apply would do: before it is done, also in a pull request.

    Broken rules with file, line and column. With a cluster: what the API server's own dry run creates and changes, the
    children that the operator would apply included. For each class of hardware whether the SLO can be kept, and for
    each load the replicas and the cost of an hour; a steady load is meant. By what is measured of the running service,
    else by a ModelProfile, else it is assumed. Exits with 1 where something speaks against it.
    """
    from foretide.cli.plan import command

    target = Target(kubeconfig, context, namespace)
    return command.run(target, files, load=load, fail_over_cost=fail_over_cost, offline=offline, form=output)


@app.command(
    short_help="A policy on the load of the last days",
    epilog=examples(
        "kubectl foretide backtest ranker --policy foretide --against hpa:target=0.6 --against keda",
        "kubectl foretide backtest ranker --policy web --against web-next.yaml --report ranker.html",
        "kubectl foretide backtest -A --policy foretide --against hpa --report fleet.html",
        "kubectl foretide backtest -f load.csv --slo 250ms --batch-time 10ms,40ms,8 --cold-start 60s",
    ),
)
def backtest(
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Services whose own past is replayed.")
    ] = None,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Services of all namespaces.")] = False,
    selector: Annotated[
        str | None,
        typer.Option("--selector", "-l", metavar="LABELS", help="Services with these labels, e.g. team=ads."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--filename", "-f", metavar="FILE", help="CSV: a column t_s, and counts of each step."),
    ] = None,
    series: Annotated[
        list[str] | None,
        typer.Option("--series", metavar="NAME", help="Column of the CSV file; repeatable. [default: each]"),
    ] = None,
    days: Annotated[float, typer.Option("--days", metavar="N", help="The last N days are judged.")] = 14.0,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy", metavar="POLICY", help="A name, NAME:KNOB=VALUE,..., or a ScalingPolicy. [default: foretide]"
        ),
    ] = None,
    against: Annotated[
        list[str] | None, typer.Option("--against", metavar="POLICY", help="Another one beside it; repeatable.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="FILE.html", help="Write a page with charts, too: load, forecast, replicas, late items."
        ),
    ] = None,
    slo: Annotated[str | None, typer.Option("--slo", metavar="LATENCY", help="[default: that of the service]")] = None,
    objective: Annotated[
        str | None, typer.Option("--objective", metavar="PERCENT", help="[default: that of the service, else 99]")
    ] = None,
    batch_time: Annotated[
        str | None,
        typer.Option("--batch-time", metavar="ITEM,FIXED,MAX", help="[default: as measured, else its profile]"),
    ] = None,
    cold_start: Annotated[
        str | None, typer.Option("--cold-start", metavar="TIME", help="[default: as measured, else its profile]")
    ] = None,
    min_replicas: Annotated[
        int | None, typer.Option("--min-replicas", metavar="N", help="[default: the service's]")
    ] = None,
    max_replicas: Annotated[
        int | None, typer.Option("--max-replicas", metavar="N", help="[default: the service's]")
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="One run from beginning to end; many times as long.")] = False,
    requests: Annotated[
        bool, typer.Option("--requests", help="Request by request, in place of steps of a second.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, max=64, help="Processes. [default: one a core]")
    ] = None,
    prometheus: PrometheusUrl = None,
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> Exit:
    """What a policy would have made of the load of the last days, and what others would.

    Replays the services' own history from Prometheus, or a file, through the simulator: the share of items that were
    late, how much of the error budget that is, replica-hours, their cost, scale events; of each service, and of all of
    several. Foretide's policies use the hardware classes of a service in its order, within their quotas; others run on
    the first class that keeps the SLO. A policy is one of Foretide's
    (foretide, or a ScalingPolicy by its name or file) or a port of another autoscaler (hpa, keda, kpa, scheduled,
    static, phpa, mark, wva, dynamo-arima, aws, azure, faro and more), with its knobs: hpa:target=0.6. Needs the extra
    `simulate`.
    """
    try:
        from foretide.cli.backtest import command
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("foretide"):
            raise
        raise Stop(f"backtest needs the package {error.name}: pip install 'foretide[cli,simulate]'") from error
    from foretide.cli.backtest.case import Given
    from foretide.cli.backtest.gather import Chosen
    from foretide.simulate.fidelity import Fidelity

    asked = command.Asked(
        chosen=Chosen(names=tuple(services or ()), selector=selector, everywhere=everywhere),
        file=file,
        series=tuple(series or ()),
        days=days,
        policies=command.policies_of(policy or ["foretide"], against or []),
        prometheus_url=prometheus,
        given=Given(
            slo=slo,
            objective=objective,
            batch_time=batch_time,
            cold_start=cold_start,
            min_replicas=min_replicas,
            max_replicas=max_replicas,
        ),
        fidelity=Fidelity.ARRIVALS if requests else Fidelity.FLUID,
        whole=whole,
        workers=workers,
        report=report,
    )
    return command.run(Target(kubeconfig, context, namespace), asked, form=output)


@app.command(
    short_help="How fast a model is on a class, measured",
    epilog=examples(
        "kubectl foretide profile ranker --class gpu-t4 --apply",
        "kubectl foretide profile ranker --class gpu-t4 --request one.json -o yaml | kubectl apply --server-side -f -",
        "kubectl foretide profile ranker --class cpu-16 --against ranker--cpu-16-5d9c7-x2k4p --in-production",
    ),
)
def profile(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="Name of the InferenceService.")],
    hardware_class: Annotated[
        str, typer.Option("--class", metavar="CLASS", help="HardwareClass; it need not be one that the service lists.")
    ],
    apply: Annotated[bool, typer.Option("--apply", help="Write the ModelProfile into the cluster, too.")] = False,
    request: Annotated[
        Path | None,
        typer.Option("--request", metavar="FILE", help="Body of a request of one item, as JSON. [default: zeros]"),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="POD|URL", help="Load this one, which runs already, in place of a new pod."),
    ] = None,
    in_production: Annotated[
        bool, typer.Option("--in-production", help="Although it may have clients: they will have to wait.")
    ] = False,
    open_seconds: Annotated[
        float,
        typer.Option("--open-seconds", metavar="N", min=2.0, max=600.0, help="Of each step of the open loop."),
    ] = 15.0,
    wait_seconds: Annotated[
        float,
        typer.Option("--wait-seconds", metavar="N", min=1.0, max=21_600.0, help="For a node, the image and the model."),
    ] = 600.0,
    image: Annotated[
        str | None,
        typer.Option("--image", metavar="IMAGE", help="With the generator of load. [default: the operator's]"),
    ] = None,
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> Exit:
    """How long a batch takes on a class of hardware, and what a replica is good for within the SLO: measured.

    In a pod of its own, as the operator would make it, which no client is sent to, which no autoscaler counts, and
    which ends with this command, by itself where the command is killed. The load comes from beside Triton in the same
    pod: closed loops for the law of batch times, by the server's own statistics, then open loops around the rate that
    follows from it, until the SLO is not kept. Takes some two minutes once the model is loaded. -o yaml is the
    ModelProfile, with what it rests on in an annotation. Exits with 1 where the class cannot keep the SLO, or the open
    loop finds another rate than the table, by more than 10 %.
    """
    from foretide.cli.profile import command

    asked = command.Asked(
        service=service,
        hardware_class=hardware_class,
        against=against,
        in_production=in_production,
        request=request,
        open_seconds=open_seconds,
        wait_seconds=wait_seconds,
        image=image,
        apply=apply,
    )
    return command.run(Target(kubeconfig, context, namespace), asked, form=output)
