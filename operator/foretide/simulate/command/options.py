"""The options of the command, and a help that teaches them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, NoReturn

from foretide.simulate.command.refused import Refused
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.policies import POLICIES
from foretide.simulate.scenario import Routing
from foretide.simulate.workload import LARGEST_SIZE, QueueName

PROGRAM = "python -m foretide.simulate"
EXAMPLE = f"""example: what would a Kubernetes HPA at 60 % have done with last month's load, and what Knative?

  {PROGRAM} run --trace load.csv --policy hpa --knob target=0.6 \\
      --slo 250ms --objective 99 --batch-time 10ms,40ms,8 --cold-start 120s --out hpa.json
  {PROGRAM} run --trace load.csv --policy kpa \\
      --slo 250ms --objective 99 --batch-time 10ms,40ms,8 --cold-start 120s --out kpa.json
  {PROGRAM} compare hpa.json kpa.json
"""


class Parser(argparse.ArgumentParser):
    """Tells what is wrong in one sentence, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        raise Refused("command", self.prog, f"cannot be run: {message}", f"see {self.prog} --help")


def parser() -> Parser:
    """The parser of all commands."""
    whole = Parser(
        prog=PROGRAM,
        description="Runs an autoscaling policy over request-rate traces, every request against simulated Triton "
        "servers, and tells what it cost and how many requests were late.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", **_of("run a policy over traces", _policies_text())))
    _add_compare(commands.add_parser("compare", **_of("the results of several runs side by side", EXAMPLE)))
    return whole


def _of(text: str, epilog: str) -> dict[str, Any]:
    about = f"{text[0].upper()}{text[1:]}."
    formatter = argparse.RawDescriptionHelpFormatter
    return {"help": text, "description": about, "epilog": epilog, "formatter_class": formatter}


def _add_run(run: argparse.ArgumentParser) -> None:
    load = run.add_argument_group("load")
    load.add_argument(
        "--trace",
        required=True,
        type=Path,
        metavar="PATH",
        help="CSV file (or .csv.gz) with a column t_s of seconds and one column of request counts per series; or a "
        "folder of such files",
    )
    load.add_argument(
        "--series",
        nargs="+",
        default=["*"],
        metavar="PATTERN",
        help="names of series, with * and ?, alone or as FILE/SERIES (default: all)",
    )
    load.add_argument("--size", default="10", help=f"replicas that the peak needs, 1 to {LARGEST_SIZE} (default 10)")
    load.add_argument("--seeds", default="5", help="how many times, with other arrivals each (default 5)")
    load.add_argument("--arrival-cv", default="1", metavar="CV", help="burstiness; 1 is Poisson (default 1)")
    load.add_argument(
        "--window", metavar="BEGIN,END", help="the judged part, e.g. 24h,48h (default: the last 40 %% of each trace)"
    )
    service = run.add_argument_group("service")
    service.add_argument("--slo", required=True, metavar="TIME", help="latency that is promised, e.g. 250ms")
    service.add_argument(
        "--objective", default="99", metavar="PERCENT", help="of requests within it, to 99.999 (default 99)"
    )
    service.add_argument(
        "--batch-time",
        required=True,
        metavar="ITEM,FIXED,MAX",
        help="a batch of b takes ITEM x b + FIXED, and has at most MAX items: 10ms,40ms,8",
    )
    service.add_argument("--instances", default="1", help="of the model in each replica (default 1)")
    service.add_argument(
        "--cold-start",
        default="120s",
        metavar="TIME[,SHAPE]",
        help="until a new replica is ready: 120s, or of that mean 120s,lognormal:0.3 (its coefficient of variation) "
        "or 120s,empirical:FILE (one measured time a line); default 120s",
    )
    service.add_argument(
        "--queue",
        default=QueueName.DEFAULT,
        choices=[str(name) for name in QueueName],
        help="default: Triton's, without a limit; half: what has waited for half of the SLO is refused, as Foretide "
        "has it where a replica runs two instances or more; slo: what would be late is refused, by the time of a full "
        "batch",
    )
    _add_cluster(run.add_argument_group("cluster"))
    _add_disturbances(run.add_argument_group("disturbances"))
    policy = run.add_argument_group("policy")
    policy.add_argument("--policy", required=True, metavar="NAME", help="one of the list below")
    policy.add_argument(
        "--knob", action="append", default=[], metavar="NAME=NUMBER", help="may be repeated; see the list below"
    )
    outcome = run.add_argument_group("result")
    outcome.add_argument(
        "--fidelity",
        default=Fidelity.ARRIVALS,
        choices=[str(name) for name in Fidelity],
        help="arrivals: every request; fluid: in steps of a second, three times as fast, without latencies",
    )
    outcome.add_argument("--out", required=True, type=Path, metavar="FILE", help="JSON; packed if it ends in .gz")
    outcome.add_argument(
        "--workers",
        default=str(os.cpu_count() or 1),
        help="processes; the result does not depend on it (default: one for each processor)",
    )


def _add_cluster(cluster: argparse._ArgumentGroup) -> None:
    cluster.add_argument(
        "--routing",
        default=Routing.RANDOM.word,
        choices=[routing.word for routing in Routing],
        help="which replica gets a request: any, as kube-proxy does (default), each in its turn, or the one that has "
        "the fewest; the load and the optimum stay those of random routing",
    )
    cluster.add_argument(
        "--provisioning",
        metavar="TIME[,SHAPE]",
        help="until a machine is there for a replica that has no room, before its cold start: 90s, or with a shape as "
        "--cold-start has; needs --warm (default: there is always room)",
    )
    cluster.add_argument(
        "--warm",
        metavar="NUMBER",
        help="replicas that have room on machines that run anyway; a machine that came for one more stays for 10 "
        "minutes after it is empty; needs --provisioning",
    )


def _add_disturbances(disturbances: argparse._ArgumentGroup) -> None:
    disturbances.add_argument(
        "--outage",
        action="append",
        default=[],
        metavar="FROM,LENGTH",
        help="Prometheus is away for LENGTH, so long after the judged part began: 30m,5m; may be repeated",
    )
    disturbances.add_argument(
        "--lost-scrapes", default="0", metavar="PERCENT", help="of all scrapes, at random (default 0)"
    )
    disturbances.add_argument(
        "--crashes-per-hour",
        default="0",
        metavar="NUMBER",
        help="of each ready replica, at random: what it has is lost, and its container is back after 10 s (default 0)",
    )


def _add_compare(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("results", nargs="+", type=Path, metavar="FILE", help="what `run --out` wrote")


def _policies_text() -> str:
    lines = ["policies, with their knobs and defaults:"]
    for entry in POLICIES.values():
        lines.append(f"  {entry.name:<16} {entry.summary}")
        lines += [f"  {'':<16}   {knob.name}={knob.default:g}: {knob.meaning}" for knob in entry.knobs]
    return "\n".join([*lines, "", EXAMPLE])
