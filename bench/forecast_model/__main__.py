"""Trains the global model that the operator ships: `python -m bench.forecast_model --help`."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.forecast_model.cascade import fit
from bench.forecast_model.draw import drawn
from bench.forecast_model.holdout import held_out, markdown
from bench.forecast_model.sample import Samples
from bench.forecast_model.series import Source, read_sources
from bench.places import REPOSITORY
from bench.scaling.console import FAILED, NOTHING_IS_WRITTEN, ended
from bench.scaling.split import SERIES, TRACES
from foretide.scaling.forecast import model
from foretide.simulate.command.progress import Progress

MODULE: Final = Path("operator") / "foretide" / "scaling" / "forecast" / "model.py"
FILE: Final = REPOSITORY / MODULE.with_name(model.FILE)
SEED: Final = 1
ROWS: Final = 900_000
FEWEST_ROWS: Final = 1_000


def main(arguments: Sequence[str] | None = None) -> int:
    """1 where training gives another model than the one that is shipped; 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.forecast_model",
        description="Trains the global forecast model on the public traces, without the series that judge, and on "
        "synthetic loads; seven minutes on two processors. The same seed and rows give the same bytes. Without --write "
        "or --check it tells whether the model that is shipped is the one that this code makes.",
        epilog="To ship a new model: --write, then set SHA256 in model.py to what it says, then --check, and put its "
        "tables into docs/forecast-model.md. Do so after each change of features.py.",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help=f"write {FILE.relative_to(REPOSITORY)}")
    action.add_argument(
        "--check",
        action="store_true",
        help="train without the series that choose knobs in bench.scaling, and print how good the model is on those",
    )
    parser.add_argument(
        "--rows", type=int, default=ROWS, help="samples, by weight of the sources (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of samples and trees (default %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one each CPU)")
    parser.add_argument("--file", type=Path, default=FILE, help="the model (default: where the operator reads it)")
    parser.add_argument("--traces", type=Path, default=TRACES, help="folder of the traces that --series names")
    parser.add_argument("--series", type=Path, default=SERIES, help="which judge and choose (default: %(default)s)")
    given = parser.parse_args(arguments)
    for name, least in (("rows", FEWEST_ROWS), ("seed", 0), ("workers", 1)):
        if getattr(given, name) < least:
            parser.error(f"--{name} must be {least} or more, not {getattr(given, name)}")
    return ended(lambda: _check(given) if given.check else _train(given), interrupted=NOTHING_IS_WRITTEN)


def _samples(given: argparse.Namespace) -> tuple[Sequence[Source], list[Samples]]:
    sources = read_sources(given.series, given.traces)
    progress = Progress("sampling")
    samples = drawn(sources, rows=given.rows, seed=given.seed, workers=given.workers, told=progress.at)
    progress.end()
    return sources, samples


def _train(given: argparse.Namespace) -> int:
    sources, samples = _samples(given)
    progress = Progress("fitting")
    packed = fit(samples, seed=given.seed, told=progress.at).packed()
    progress.end()
    checksum = hashlib.sha256(packed).hexdigest()
    print(f"{checksum}, {len(packed):,} bytes, of {sum(map(len, samples)):,} samples of {len(sources)} sources")
    if given.write:
        partial = given.file.with_suffix(".partial")
        partial.write_bytes(packed)
        partial.replace(given.file)
        if checksum != model.SHA256:
            print(f'set in {MODULE}:\nSHA256: Final = "{checksum}"')
        return 0
    same = given.file.is_file() and given.file.read_bytes() == packed
    print(f"{given.file} is {'the same' if same else 'ANOTHER'} model")
    return 0 if same else FAILED


def _check(given: argparse.Namespace) -> int:
    sources, samples = _samples(given)
    progress = Progress("fitting")
    rows = held_out(sources, samples, seed=given.seed, told=progress.at)
    progress.end()
    print(*markdown(rows), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
