"""What a model costs and gives that is trained anew on the users' own past.

A series that is held out is a user's: its first half is what an operator has seen before it refits, and all models are
judged on the second one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from importlib.metadata import distribution
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from bench.forecast_model.cascade import ROUNDS, fit
from bench.forecast_model.holdout import Row, Told, scored
from bench.forecast_model.sample import Samples
from bench.forecast_model.series import Series, Source
from foretide.scaling.forecast.model import GlobalModel
from foretide.simulate.command.processes import LOST, START_METHOD, WorkerLost

MIB: Final = 2.0**20
# LightGBM's Python package imports them; the image of the operator has its library alone.
PACKAGES: Final = ("scipy", "narwhals")
LATER: Final = ", later"


@dataclass(frozen=True, slots=True, eq=False)
class Halves:
    """Who trains whom: others always, the past of the users where a model is refitted."""

    others: tuple[Source, ...]
    past: tuple[Series, ...]
    coming: tuple[Series, ...]  # whole series, of which the second half is judged; in the order of `past`

    @classmethod
    def of(cls, sources: Sequence[Source]) -> Halves:
        """Series that are held out are those of the users."""
        users = [one for one in sources if one.held_out and isinstance(one, Series)]
        return cls(
            others=tuple(one for one in sources if not one.held_out),
            past=tuple(replace(one, rates=one.rates[: one.slots // 2]) for one in users),
            # Another name, and so other sizes and noise: no sample that is judged has a twin that trained.
            coming=tuple(replace(one, name=f"{one.name}{LATER}", seen_slots=one.slots // 2) for one in users),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """A model, and what it took; of sampling nothing is counted."""

    packed: bytes
    samples: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int  # resident, of the whole process


def fitted(samples: Sequence[Samples], *, seed: int, rounds: int = ROUNDS) -> Fitted:
    """In a process of its own, so that its memory is no one else's. Raises WorkerLost where that is killed."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "samples.npz"
        np.savez(
            file,
            features=np.concatenate([one.features for one in samples]),
            outcome=np.concatenate([one.outcome for one in samples]),
        )
        try:
            with ProcessPoolExecutor(1, mp_context=get_context(START_METHOD)) as pool:
                return pool.submit(_fit, file, seed, rounds).result()
        except BrokenProcessPool:
            raise WorkerLost(LOST) from None


def _fit(file: Path, seed: int, rounds: int) -> Fitted:
    began, began_cpu = time.monotonic(), time.process_time()
    with np.load(file) as found:
        samples = Samples(found["features"], found["outcome"])
    packed = fit([samples], seed=seed, rounds=rounds).packed()
    return Fitted(
        packed=packed,
        samples=len(samples),
        seconds=time.monotonic() - began,
        cpu_seconds=time.process_time() - began_cpu,
        peak_bytes=_peak_bytes(),
    )


def _peak_bytes() -> int:
    """Of this process since it began: the `ru_maxrss` of a child is not less than its parent's."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1_024


def judged(series: Sequence[Series], coming: Sequence[Samples], models: Mapping[str, bytes]) -> list[Row]:
    """The models alone, in tables: one row for each series, and one of them all."""
    read = {name: GlobalModel.read(packed) for name, packed in models.items()}
    return scored(
        [
            Told(
                name=one.name.removesuffix(LATER),
                outcome=samples.outcome,
                quantiles={name: model.quantiles(samples.features.astype(np.float64)) for name, model in read.items()},
            )
            for one, samples in zip(series, coming, strict=True)
        ]
    )


def costs(fits: Mapping[str, Fitted]) -> Iterator[str]:
    """A table."""
    yield "| model | samples | fit, s | processor, s | peak memory, MiB | file, bytes |"
    yield "|---|---|---|---|---|---|"
    for name, one in fits.items():
        yield (
            f"| {name} | {one.samples:,} | {one.seconds:.0f} | {one.cpu_seconds:.0f} | {one.peak_bytes / MIB:.0f} "
            f"| {len(one.packed):,} |"
        )


def image() -> Iterator[str]:
    """What LightGBM's Python package needs that the operator's image leaves out, as installed here."""
    for name in PACKAGES:
        yield f"{name}: {_installed_bytes(name) / MIB:.0f} MiB"


def _installed_bytes(name: str) -> int:
    found = distribution(name)
    files = (Path(str(found.locate_file(file))) for file in found.files or ())
    return sum(file.stat().st_size for file in files if file.is_file())


def gains(rows: Sequence[Row]) -> Iterator[str]:
    """The mean loss over all levels, series by series, and what each model changes of the first one's."""
    names = list(rows[0].scores)
    yield f"| loss of all levels, ‰ | {' | '.join(names)} |"
    yield "|---" * (len(names) + 1) + "|"
    for row in rows:
        losses = [1_000.0 * float(one.pinball.mean()) for one in row.scores.values()]
        changes = [f"{loss:.2f} ({100.0 * (loss / losses[0] - 1.0):+.1f} %)" for loss in losses[1:]]
        yield f"| {row.name} | {' | '.join([f'{losses[0]:.2f}', *changes])} |"
