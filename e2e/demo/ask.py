"""`python -m e2e.demo.ask URL FILE...`: asks the running service what kind of files these are."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import magika
import numpy as np

from e2e.demo import example
from e2e.demo.model import INPUT, OUTPUT, features
from e2e.load import Outcome, Plan, Target, request, run
from e2e.load.infer import infer_body, tensors
from e2e.load.wire import Answer


def main(arguments: list[str] | None = None) -> int:
    """Prints one line for each file; 1 if one could not be answered."""
    parser = argparse.ArgumentParser(prog="python -m e2e.demo.ask", description="Asks the demo's service about files.")
    parser.add_argument("url", help="http://127.0.0.1:30080 after `make demo`")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    try:
        target = Target.parse(given.url.rstrip("/") + example.read().infer_path)
    except ValueError as error:
        parser.error(str(error))
    return max(ask(target, path) for path in given.files)


def ask(target: Target, path: Path) -> int:
    """The service's answer about one file."""
    classifier = magika.Magika()
    row = features(classifier, path)
    if row is None:
        print(f"{path}: magika answers this one without the model (missing, a folder, or of a few bytes)")
        return 1
    heard: list[Answer] = []

    def listen(payload: int, answer: Answer) -> bool:
        heard.append(answer)
        return True

    body, headers = infer_body({INPUT: row[np.newaxis]}, [OUTPUT])
    result = run(Plan(target=target, arrivals=np.zeros(1), payloads=(request(target, body, headers),), check=listen))
    if result.outcome[0] != Outcome.OK:
        print(f"{path}: {'; '.join(result.messages)}")
        return 1
    scores = tensors(heard[0])[OUTPUT][0]
    labels = classifier._target_labels_space  # noqa: SLF001 not in its public API
    print(
        f"{path}: {labels[int(scores.argmax())]} (score {scores.max():.3f}, {result.latency_seconds[0] * 1e3:.0f} ms)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
