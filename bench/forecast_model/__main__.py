"""Trains the global model that the operator ships: `python -m bench.forecast_model --help`."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.forecast_model.blend import blended
from bench.forecast_model.cascade import fit
from bench.forecast_model.draw import drawn
from bench.forecast_model.holdout import held_out, markdown
from bench.forecast_model.refit import Halves, costs, fitted, gains, image, judged
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
    action.add_argument(
        "--refit",
        action="store_true",
        help="of the same series, train with the first half and without, and print what that changes on the second; "
        "half an hour",
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
    perform = _check if given.check else _refit if given.refit else _train
    return ended(lambda: perform(given), interrupted=NOTHING_IS_WRITTEN)


def _samples(given: argparse.Namespace, sources: Sequence[Source], rows: int) -> list[Samples]:
    progress = Progress("sampling")
    samples = drawn(sources, rows=rows, seed=given.seed, workers=given.workers, told=progress.at)
    progress.end()
    return samples


def _train(given: argparse.Namespace) -> int:
    sources = read_sources(given.series, given.traces)
    samples = _samples(given, sources, given.rows)
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
    sources = read_sources(given.series, given.traces)
    samples = _samples(given, sources, given.rows)
    progress = Progress("fitting")
    rows = held_out(sources, samples, seed=given.seed, told=progress.at)
    progress.end()
    print(*markdown(rows), sep="\n")
    return 0


def _refit(given: argparse.Namespace) -> int:
    halves = Halves.of(read_sources(given.series, given.traces))
    began = time.monotonic()
    samples = _samples(given, [*halves.others, *halves.past], given.rows)
    print(f"sampled in {time.monotonic() - began:.0f} s with {given.workers} processes", flush=True)
    others, past = samples[: len(halves.others)], samples[len(halves.others) :]
    coming = _samples(given, halves.coming, sum(map(len, past)))
    # Twice the same samples: what another seed of the trees changes means nothing.
    trained = {"as shipped": others, "other seed": others, "refitted": samples, "their own": past}
    progress, fits = Progress("fitting"), {}
    for name, train in trained.items():
        fits[name] = fitted(train, seed=given.seed + (name == "other seed"))
        progress.at(len(fits) / len(trained))
    progress.end()
    print(*costs(fits), "", "not in the image of the operator:", *image(), sep="\n", flush=True)
    models = {name: one.packed for name, one in fits.items()}
    alone = judged(halves.coming, coming, models)
    print("\nthe model alone", *gains(alone), "", *markdown(alone), sep="\n", flush=True)
    progress = Progress("replaying")
    after = blended(halves.coming, models, seed=given.seed, workers=given.workers, told=progress.at)
    progress.end()
    print("as the operator uses it", *gains(after), "", *markdown(after), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
