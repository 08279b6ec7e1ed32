"""The demo's model and its real input: magika's file-type classifier on files found on this machine."""

from __future__ import annotations

import itertools
import math
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import magika
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from e2e.load import Answer, Target, request
from e2e.load.infer import infer_body, tensors

REPOSITORY = Path(__file__).resolve().parents[2]
INPUT, OUTPUT = "bytes", "target_label"
TOLERANCE = 1e-4  # of a score: the server may run another release of onnxruntime
FILES_WANTED = 160
FILES_OF_ONE_SUFFIX = 8  # variety: most of the 3,000 files found are Python sources
LARGEST_FILE_BYTES = 50_000_000
NOT_LOOKED_INTO = {"build", "site-packages", "__pycache__"}  # and hidden folders: they change from run to run


@dataclass(frozen=True, slots=True)
class Samples:
    """Files, what the model sees of each, and what it says when it is run directly."""

    paths: tuple[Path, ...]
    features: NDArray[np.int32]  # [file, 2048]: the first and the last 1,024 bytes, padded with 256
    direct: SameAsDirect
    labels: tuple[str, ...]
    seconds_per_file: float  # CPU time of one inference on one thread of this machine

    def label(self, file: int) -> str:
        """What kind of file it is, by the model run directly."""
        return self.labels[int(self.direct.alone[file].argmax())]

    def score(self, file: int) -> float:
        """How sure the model is of that."""
        return float(self.direct.alone[file].max())

    def requests(self, target: Target) -> tuple[bytes, ...]:
        """One inference request for each file, ready for the wire."""
        bodies = (infer_body({INPUT: row[np.newaxis]}, [OUTPUT]) for row in self.features)
        return tuple(request(target, body, headers) for body, headers in bodies)

    def one_of_each_kind(self) -> list[int]:
        """The first file of each kind."""
        first: dict[str, int] = {}
        for file in range(len(self.paths)):
            first.setdefault(self.label(file), file)
        return list(first.values())


@dataclass(frozen=True, slots=True)
class SameAsDirect:
    """The check of an answer: every score within the tolerance of the model run directly, and so the same label.

    onnxruntime gives a file in a batch other scores than alone (up to 0.0021 apart for this model, the same for
    every batch of two or more), and the server batches as it likes: either is right.
    """

    alone: NDArray[np.float32]  # [file, label]
    batched: NDArray[np.float32]

    def __call__(self, file: int, answer: Answer) -> bool:
        try:
            given = tensors(answer)[OUTPUT]
        except (ValueError, KeyError):
            return False
        return given.shape == (1, self.alone.shape[1]) and any(
            bool(np.allclose(given[0], expected[file], rtol=0, atol=TOLERANCE))
            and given[0].argmax() == expected[file].argmax()
            for expected in (self.alone, self.batched)
        )


def model_file() -> Path:
    """The ONNX file inside the installed package."""
    folder = Path(str(magika.__file__)).parent / "models"
    return folder / str(magika.Magika().get_model_name()) / "model.onnx"


def samples(*, wanted: int = FILES_WANTED) -> Samples:
    """Varied files of this machine, the same on every call, with the answers to expect."""
    classifier = magika.Magika()
    found = ((path, features(classifier, path)) for path in candidates())
    chosen = list(itertools.islice(((path, row) for path, row in found if row is not None), wanted))
    matrix = np.array([row for _, row in chosen], dtype=np.int32)
    direct, seconds = run_directly(matrix)
    labels = tuple(str(label) for label in classifier._target_labels_space)  # noqa: SLF001 not in its public API
    return Samples(tuple(path for path, _ in chosen), matrix, direct, labels, seconds)


def run_directly(matrix: NDArray[np.int32]) -> tuple[SameAsDirect, float]:
    """The model's answers by onnxruntime in this process, and the CPU time of one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model_file()), options, providers=["CPUExecutionProvider"])
    alone, times = [], []
    for row in matrix:
        began = time.thread_time()
        alone.append(session.run([OUTPUT], {INPUT: row[np.newaxis]})[0][0])
        times.append(time.thread_time() - began)
    batches = np.array_split(matrix, math.ceil(len(matrix) / 16))  # all at once would take 600 MB
    batched = [session.run([OUTPUT], {INPUT: batch})[0] for batch in batches]
    return SameAsDirect(np.array(alone), np.concatenate(batched)), float(np.median(times))


def features(classifier: magika.Magika, path: Path) -> NDArray[np.int32] | None:
    """What the model sees of a file, by magika's own preprocessing; None for files it answers without the model."""
    # magika has no public call that stops before its own inference. Its version is locked, and a test compares.
    _, found = classifier._get_result_or_features_from_path(path)  # noqa: SLF001
    return None if found is None else np.array([*found.beg, *found.end], dtype=np.int32)


def candidates() -> Iterator[Path]:
    """Files of the repository, of installed packages and of Python itself: one of each suffix, then a second..."""
    packages = Path(sysconfig.get_path("purelib"))
    installed = [packages / name for name in ("matplotlib", "numpy", "magika")]
    rounds: list[list[Path]] = [[] for _ in range(FILES_OF_ONE_SUFFIX)]
    seen: Counter[str] = Counter()
    for folder in [REPOSITORY, *installed, Path(sysconfig.get_path("stdlib"))]:
        for path in walk(folder):
            suffix = path.suffix.lower() or path.name
            if seen[suffix] < FILES_OF_ONE_SUFFIX and 0 < path.stat().st_size < LARGEST_FILE_BYTES:
                rounds[seen[suffix]].append(path)
                seen[suffix] += 1
    return itertools.chain.from_iterable(rounds)


def walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder, by name; links are not followed."""
    for entry in sorted(folder.iterdir()):
        if entry.is_symlink():
            continue
        if entry.is_dir():
            if entry.name not in NOT_LOOKED_INTO and not entry.name.startswith("."):
                yield from walk(entry)
        elif entry.is_file():
            yield entry
