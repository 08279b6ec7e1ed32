"""The demo's model and its real input: magika's file-type classifier on files found on this machine."""

from __future__ import annotations

import sysconfig
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import magika
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from e2e.load import Answer, Target, request
from e2e.load.infer import infer_body, tensors

REPOSITORY = Path(__file__).resolve().parents[2]
INPUT, OUTPUT = "bytes", "target_label"
TOLERANCE = 1e-4  # of a score: the server runs another release of onnxruntime
FILES_WANTED = 160
FILES_OF_ONE_SUFFIX = 8  # variety: of some 3,000 files found most are Python sources
LARGEST_FILE_BYTES = 50_000_000
NOT_LOOKED_INTO = {".git", ".venv", "build", "site-packages", "node_modules", ".mypy_cache", ".ruff_cache"}


@dataclass(frozen=True, slots=True)
class Samples:
    """Files, what the model sees of each, and what it says when it is run directly."""

    paths: tuple[Path, ...]
    features: NDArray[np.int32]  # [file, 2048]: the first and the last 1,024 bytes, padded with 256
    scores: NDArray[np.float32]  # [file, label]
    labels: tuple[str, ...]
    seconds_per_file: float  # CPU time of one inference on one thread of this machine

    def label(self, scores: NDArray[np.float32]) -> str:
        """The name of the highest score."""
        return self.labels[int(scores.argmax())]

    def requests(self, target: Target) -> tuple[bytes, ...]:
        """One inference request for each file, ready for the wire."""
        bodies = (infer_body({INPUT: row[np.newaxis]}, [OUTPUT]) for row in self.features)
        return tuple(request(target, body, headers) for body, headers in bodies)


@dataclass(frozen=True, slots=True)
class SameAsDirect:
    """The check of an answer: the same label, and every score within the tolerance."""

    scores: NDArray[np.float32]

    def __call__(self, payload: int, answer: Answer) -> bool:
        try:
            given = tensors(answer)[OUTPUT][0]
        except (ValueError, KeyError):
            return False
        expected = self.scores[payload]
        close = np.allclose(given, expected, rtol=0, atol=TOLERANCE)
        return bool(close and given.argmax() == expected.argmax())


def model_file() -> Path:
    """The ONNX file inside the installed package."""
    return Path(magika.__file__).parent / "models" / magika.Magika().get_model_name() / "model.onnx"


def samples(*, wanted: int = FILES_WANTED) -> Samples:
    """Varied files of this machine, the same on every call, with their expected answers."""
    classifier = magika.Magika()
    paths, rows = [], []
    for path in candidates():
        row = features(classifier, path)
        if row is not None:
            paths.append(path)
            rows.append(row)
        if len(rows) == wanted:
            break
    matrix = np.array(rows, dtype=np.int32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model_file()), options, providers=["CPUExecutionProvider"])
    scores, times = [], []
    for row in matrix:
        began = time.process_time()
        scores.append(session.run([OUTPUT], {INPUT: row[np.newaxis]})[0][0])
        times.append(time.process_time() - began)
    labels = tuple(str(label) for label in classifier._target_labels_space)  # noqa: SLF001 not in its public API
    return Samples(tuple(paths), matrix, np.array(scores), labels, float(np.median(times)))


def features(classifier: magika.Magika, path: Path) -> NDArray[np.int32] | None:
    """What the model sees of a file, by magika's own preprocessing; None for files it answers without the model."""
    # magika has no public call that stops before its own inference; its version is pinned and a test compares.
    _, found = classifier._get_result_or_features_from_path(path)  # noqa: SLF001
    return None if found is None else np.array([*found.beg, *found.end], dtype=np.int32)


def candidates() -> Iterator[Path]:
    """Files of the repository, of installed packages and of Python's library, few of each suffix, in a fixed order."""
    packages = Path(sysconfig.get_path("purelib"))
    folders = [REPOSITORY, packages / "matplotlib", packages / "numpy", packages / "magika", Path(sysconfig.get_path("stdlib"))]
    seen: Counter[str] = Counter()
    for folder in folders:
        for path in walk(folder):
            suffix = path.suffix.lower() or path.name
            if seen[suffix] < FILES_OF_ONE_SUFFIX and not path.is_symlink() and 0 < path.stat().st_size < LARGEST_FILE_BYTES:
                seen[suffix] += 1
                yield path


def walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder, by name."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            if entry.name not in NOT_LOOKED_INTO:
                yield from walk(entry)
        elif entry.is_file():
            yield entry


def describe(found: Samples) -> dict[str, Any]:
    """How varied the input is, for the demo's opening lines."""
    kinds = Counter(found.label(row) for row in found.scores)
    return {"files": len(found.paths), "kinds": len(kinds), "commonest": kinds.most_common(3)}
