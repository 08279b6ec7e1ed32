"""`python -m e2e.demo`: the demo from a shell."""

from __future__ import annotations

import time

BEGAN = time.monotonic()  # before the imports below: whoever waits for the demo waits for them too

import argparse  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from rich.console import Console  # noqa: E402

from e2e.cluster import ClusterError  # noqa: E402
from e2e.demo import ending  # noqa: E402
from e2e.demo.first import NoAnswerError  # noqa: E402
from e2e.demo.ready import NotReadyError  # noqa: E402
from e2e.demo.run import Options, demo  # noqa: E402
from e2e.demo.target import Progress  # noqa: E402
from e2e.load import read_profile  # noqa: E402

ABOUT = """\
Foretide at work, on real parts only: a Kubernetes cluster (CLUSTER=embedded, the default, makes one on this machine;
CLUSTER=current and CLUSTER=kind use yours), the operator from its Helm chart, and the file-type classifier of magika
as an InferenceService with an SLO. Then two days of a real trace, compressed to four minutes each: the first comes as a
surprise, the second is foreseen. Every request is a file found on this machine, sent over a new connection, and every
answer is compared with the model run directly."""
AFTERWARDS = """\
what it leaves:  build/demo/summary.json, build/demo/demo.png, and the cluster, to look around in
exit status:     0 if every answer was right and no request was lost (a 503 is an answer: too late for the SLO),
                 1 if not, 130 after Ctrl-C

examples:
  make demo                                              everything; about nine minutes when nothing has to be built
  make demo DEMO_ARGS="--no-load"                        only as far as the first correct answers
  make demo DEMO_ARGS="--seconds 960 --peak-rps 40"      slower and gentler: days of eight minutes
  make demo DEMO_ARGS="--trace my-days.csv.gz"           a trace of your own (format: examples/traces/README.md); one
                                                         of 48 h is taken for two days, any other is only played"""


def main(arguments: list[str] | None = None) -> int:
    """Plays the demo and says how it went."""
    options = parse(arguments)
    console = Console(highlight=False)
    ending.forget(options.output)
    try:
        story, wanted = demo(options, began=BEGAN, console=console, progress=Progress())
    except (ClusterError, NotReadyError, NoAnswerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return ending.tell(story, wanted, options.output, console)


def parse(arguments: list[str] | None) -> Options:
    """The options; a wrong one ends the program before anything is started."""
    defaults = Options()
    parser = argparse.ArgumentParser(
        prog="python -m e2e.demo",
        description=ABOUT,
        epilog=AFTERWARDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=defaults.seconds,
        help="how long the load lasts (default %(default)g; two days are compared from 480 on)",
    )
    parser.add_argument(
        "--peak-rps",
        type=float,
        help="requests a second in the busiest step of the trace (default: what four replicas can serve here)",
    )
    parser.add_argument(
        "--trace", type=Path, default=defaults.trace, help="CSV file (default: two days in examples/traces)"
    )
    parser.add_argument("--no-load", action="store_true", help="stop after the first correct answers")
    parser.add_argument(
        "--output", type=Path, default=defaults.output, help="folder for the results (default build/demo)"
    )
    given = parser.parse_args(arguments)
    try:
        read_profile(given.trace)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if not 10 <= given.seconds <= 3600:
        parser.error("--seconds must be from 10 to 3600")
    if given.peak_rps is not None and not 0 < given.peak_rps <= 300:
        parser.error("--peak-rps must be above 0 and at most 300")
    return Options(
        seconds=given.seconds,
        peak_rps=given.peak_rps,
        trace=given.trace,
        load=not given.no_load,
        output=given.output,
    )


if __name__ == "__main__":
    sys.exit(main())
