"""`python -m e2e.load`: open-loop load on a URL of this machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from e2e.load import report
from e2e.load.child import start
from e2e.load.run import Plan
from e2e.load.schedule import Profile, arrivals, read_profile, steady
from e2e.load.wire import Target, request

EXAMPLES = """examples:
  40 requests a second for a minute, a new connection each:
    python -m e2e.load --url http://127.0.0.1:30080/v2/health/ready --rate 40 --seconds 60
  two days of a real trace in 8 minutes, 60 requests a second in its busiest step, a request body from a file:
    python -m e2e.load --url http://127.0.0.1:30080/v2/models/filetype/infer --body request.json \\
      --trace examples/traces/azure_llm_code_two_days.csv --peak-rps 60 --seconds 480
"""


def main(arguments: list[str] | None = None) -> int:
    """Sends the load and prints what became of it; 1 if a request failed, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m e2e.load",
        description="Open-loop load: sent on time, however slow the server is. Loopback addresses only.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", required=True, help="http://127.0.0.1:PORT/PATH")
    parser.add_argument("--body", type=Path, help="file to POST (default: GET without a body)")
    parser.add_argument("--header", action="append", default=[], metavar="NAME: VALUE", help="may be repeated")
    shape = parser.add_mutually_exclusive_group(required=True)
    shape.add_argument("--rate", type=float, metavar="RPS", help="a steady rate")
    shape.add_argument("--trace", type=Path, help="CSV file (or .csv.gz) with t_s and a column of counts")
    parser.add_argument("--seconds", type=float, help="how long; a trace is compressed or stretched to it")
    parser.add_argument("--peak-rps", type=float, help="scale the trace so that its busiest step has this rate")
    parser.add_argument("--seed", type=int, default=1, help="of the Poisson arrivals (default 1)")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds for one request (default 10)")
    parser.add_argument("--slo-ms", type=float, default=100.0, help="for the share within it (default 100)")
    parser.add_argument("--max-requests", type=int, default=100_000, help="refuse a longer plan (default 100000)")
    parser.add_argument("--max-in-flight", type=int, default=512, help="do not send beyond this (default 512)")
    parser.add_argument("--output", type=Path, help="write the arrays (.npz)")
    given = parser.parse_args(arguments)
    try:
        plan = planned(given)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    with start(plan) as running:
        try:
            result = running.result()
        except KeyboardInterrupt:
            running.stop()
            result = running.result()
    if given.output:
        result.save(given.output)
    print("\n".join(report.sentences(result, slo_seconds=given.slo_ms / 1e3)))
    return 1 if report.totals(result, slo_seconds=given.slo_ms / 1e3).failed else 0


def planned(given: argparse.Namespace) -> Plan:
    """The plan the options describe."""
    target = Target.parse(given.url)
    headers = dict(line.split(":", 1) for line in given.header)
    body = given.body.read_bytes() if given.body else b""
    return Plan(
        target=target,
        arrivals=arrivals(profile(given), seed=given.seed),
        payloads=(request(target, body, {name.strip(): value.strip() for name, value in headers.items()}),),
        timeout_seconds=given.timeout,
        max_requests=given.max_requests,
        max_in_flight=given.max_in_flight,
    )


def profile(given: argparse.Namespace) -> Profile:
    """The load profile the options describe."""
    if given.rate is not None:
        return steady(given.rate, seconds=given.seconds or 60.0)
    shape = read_profile(given.trace)
    if given.seconds:
        shape = shape.lasting(given.seconds)
    return shape.peaking_at(given.peak_rps) if given.peak_rps else shape


if __name__ == "__main__":
    sys.exit(main())
