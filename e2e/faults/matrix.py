"""The rows of the matrix: what is done, what must hold all the same; `python -m e2e.faults.matrix` writes the page.

Where a row's test is, the names of files and functions say; `tests/faults/test_matrix.py` holds all three together.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).resolve().parent
ROOT: Final = FOLDER.parents[1]
PAGE: Final = ROOT / "docs" / "fault-matrix.md"
NUMBERS: Final = range(1, 67)
OF_A_TEST: Final = re.compile(r"test_F(\d\d)_")


class Row(NamedTuple):
    """One way to fail."""

    fault: str
    holds: str


ROWS: Final[Mapping[int, Row]] = {
    1: Row("Prometheus is gone; and the pods' metrics, too", "the pods are read; without both, nothing moves"),
    2: Row("Prometheus hangs, answers late, or a byte a second", "ticks end at their deadline; others are unaffected"),
    3: Row("500, 503, 429, with and without Retry-After", "nothing shrinks; it is obeyed, and nobody is stormed"),
    4: Row("200 with HTML, cut off, deeply nested, 200 MB, a bomb", "no answer; memory stays flat"),
    5: Row("`status: error`, warnings, another resultType, null", "no answer; the reason is told"),
    6: Row("no series: of the pods, or in the answer", "unknown, never 0"),
    7: Row("NaN, infinities, negative and astronomic numbers", "nothing shrinks, nothing overflows"),
    8: Row("ratios by almost nothing", "no spike"),
    9: Row("true idleness", "down to the minimum"),
    10: Row("series that ended without a marker", "samples that are too old are none"),
    11: Row("half of the pods are not scraped", "what they serve is not forgotten; one of them pins no fleet"),
    12: Row("every series twice", "counted once"),
    13: Row("counters begin anew", "neither growth nor shrinking"),
    14: Row(
        "clocks apart: of samples, of Prometheus, of the operator; answers of a minute ago", "told; nothing shrinks"
    ),
    15: Row("history with holes and doubles", "gaps stay gaps; the load of now decides"),
    16: Row("constant, zero, one point, steps and spikes as history", "what the load of now needs is there"),
    17: Row("the forecast raises, hangs, says NaN, infinity, -1e9, 1e9", "a reactive autoscaler is left"),
    18: Row("a season that foretells nothing, while there is load", "a forecast takes nothing away"),
    19: Row("a season that foretells ten times too much", "no more than the maximum"),
    20: Row("far more load than capacity", "what is refused and waits is asked for: it grows"),
    21: Row("pods are ready, and their Triton has no model", "no series is not idle"),
    22: Row("a model that loads for long", "what is on its way is counted; no ratchet"),
    23: Row("new pods crash", "growth stops; the reason is told"),
    24: Row("no node has room", "one step beyond what runs, and no further"),
    25: Row("roll-outs with surge", "no ratchet over 20 ticks"),
    26: Row("pods that take half an hour to leave", "neither capacity nor missed"),
    27: Row("pods of others with a service's labels", "neither capacity nor load"),
    28: Row("an HPA targets the Deployment", "nothing is written; the rival is named"),
    29: Row("replicas by hand, again and again", "brought back; a fight is ended"),
    30: Row("apply of a manifest with replicas", "restored, and owned by the autoscaler alone"),
    31: Row("scaled to 0 by hand", "off until somebody switches it on, across restarts"),
    32: Row("the Deployment is deleted", "another of the same size"),
    33: Row("the service is deleted, with and without an operator", "its children go; nothing more is written"),
    34: Row("a service is made anew with the same name", "nothing is inherited"),
    35: Row("quota, LimitRange, a namespace that ends", "the API server's words; no loop"),
    36: Row("the operator is killed at every write", "the same end, the same writes"),
    37: Row("a restart in the middle of a hold", "no early shrink"),
    38: Row("two operators", "one of them writes"),
    39: Row("conflicts on status and /scale", "decided anew; no old number is written"),
    40: Row("the API server, or etcd, is restarted", "watches go on within 75 s; no child twice; nothing shrinks"),
    41: Row("a watch is silent", "opened anew; what happened meanwhile is acted on"),
    42: Row(
        "a watch ends in garbage, in half a line, in an error, or is Gone", "listed anew; what vanished is noticed"
    ),
    43: Row("events are lost, late, double, in the wrong order", "the same end"),
    44: Row("an old list after a restart", "no shrink, no deletion by an old view"),
    45: Row("a third of the API server's answers are errors or late", "it converges; retries are bounded"),
    46: Row("a right is taken away", "told with verb and resource; others go on"),
    47: Row("etcd is full", "held without a crash loop; recovers"),
    48: Row("a status that grows, or is enormous", "refused by the schema; made small again"),
    49: Row("status edited or erased", "rebuilt; no early shrink"),
    50: Row("the operator's clock jumps by an hour, alone or with all others", "no early shrink, no storm"),
    51: Row("the operator stands still, longer than its Lease", "no write of a former leader; goes on"),
    52: Row("a hundred services, three of them poisoned", "told; the others are decided on in every tick"),
    53: Row("SIGTERM while it writes", "it ends within 10 s and leaves nothing; the next one goes on"),
    54: Row("upgrade and rollback", "no replica changes"),
    55: Row("specs that break rules", "refused at admission and by parse()"),
    56: Row("huge and odd strings", "literal, or refused by name of the field"),
    57: Row("injection through names", "literal everywhere"),
    58: Row("URLs, redirects and addresses that lead elsewhere", "refused, or not followed; no connection"),
    59: Row("privilege through a field", "impossible by schema; admission passes our pods"),
    60: Row("credentials missing, rotated, wrong", "told; no secret anywhere"),
    61: Row("TLS expired, of another name, of an unknown authority", "told; never insecure"),
    62: Row("a webhook is down", "there is none"),
    63: Row("an SLO that no replica can keep", "told with numbers; no runaway"),
    64: Row("ModelProfiles that are untrue or of other hardware", "what is measured is believed"),
    65: Row("paused, restarted, resumed", "no write meanwhile; no jump afterwards"),
    66: Row("square waves and noise at a border", "bounded turns; never below need"),
}
# Where a row is proved otherwise than by a test of this folder.
ELSEWHERE: Final[Mapping[int, str]] = {
    1: "e2e/test_prometheus_death.py, e2e/proofs/test_outage.py: with a real Triton",
    23: "e2e/test_model_failures.py: with a real Triton",
    25: "e2e/test_rollout.py: with a real Triton",
    36: "e2e/exhaustive/test_kills.py: every write; e2e/test_operator_death.py, e2e/proofs/test_kills.py",
    37: "e2e/test_operator_death.py",
    38: "e2e/test_operator_death.py",
    39: "e2e/test_replicas_by_hand.py, tests/control/test_act.py",
    43: "e2e/exhaustive/test_events.py: each event is lost, late, told twice and after its successor",
    44: "e2e/exhaustive/test_stale.py: each older view of a run",
    46: "tests/control/test_act.py",
    48: "tests/scaling/test_journal.py",
    49: "tests/control/test_status_writer.py",
    54: "e2e/test_chart_lifecycle.py: other values, another version and back, under load",
    55: "e2e/test_crd_validation.py, tests/api",
    56: "tests/api, tests/serving: by hypothesis",
    57: "tests/adapters/test_promql.py, tests/serving",
    59: "every e2e test: its namespace enforces restricted Pod Security",
    60: "tests/adapters/test_prometheus_access.py",
    61: "tests/adapters/test_prometheus_access.py",
    62: "no webhook is part of Foretide: rules are in the CRDs",
}
NOT_YET: Final = "not yet"

HEAD: Final = """\
# The fault matrix

<!-- Generated by `python -m e2e.faults.matrix`; do not edit. -->

What is broken on purpose, and what must hold all the same. `make faults` runs all of it, two tests at a time, in 40
minutes, beside any cluster: a real control plane, Prometheus and operator as processes of the machine, a proxy before
both servers that delays, refuses, cuts, rewrites, freezes, drops and replays, and pods that a test tells how to
misbehave. `make test` runs the quick half; `make soak HOURS=1 SEED=7` draws from it at random, and the seed says all
that is drawn.

Each test ends with the same judgement of the API server's audit log (`e2e/faults/invariants.py`): **I1** every number
is within the bounds of its service; **I2** no step is larger, sooner or lower than the rates and the hold allow; **I3**
nothing shrinks while the load is not known, nor below what it truly was; **I4** one writer for each field; **I5**
nothing is written once nothing changes; **I6** only own objects are deleted, by uid, and nothing is written for a
service that is gone.

| # | fault | what must hold | test |
|---|---|---|---|
"""


def of_rows() -> dict[int, list[str]]:
    """The tests of each row: a number in a function's name, or else that of its file."""
    found: dict[int, list[str]] = {}
    for file in sorted(FOLDER.glob("test_*.py")):
        names = [node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)]
        for name in names:
            if name.startswith("test_") and (number := OF_A_TEST.match(name) or OF_A_TEST.match(file.name)):
                files = found.setdefault(int(number[1]), [])
                if file.name not in files:
                    files.append(file.name)
    return found


def page() -> str:
    """The whole of it."""
    found, lines = of_rows(), []
    for number in NUMBERS:
        row = ROWS[number]
        where = [f"`{name}`" for name in found.get(number, [])]
        where += [ELSEWHERE[number]] if number in ELSEWHERE else []
        lines.append(f"| F{number:02} | {row.fault} | {row.holds} | {'; '.join(where) or NOT_YET} |\n")
    return HEAD + "".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser("python -m e2e.faults.matrix", description="Writes docs/fault-matrix.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is another")
    if parser.parse_args().check:
        return int(PAGE.read_text() != page())
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
