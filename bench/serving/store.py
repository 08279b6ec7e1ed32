"""The models that are measured already: a run that was stopped goes on with the next one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.serving.configurations import Configuration
from bench.serving.measure import Effort, Measured
from bench.serving.models import Measurable


@dataclass(frozen=True, slots=True)
class Store:
    """A file for each model, named by what was measured: another configuration, SLO or effort is another file."""

    folder: Path

    def _file(self, model: Measurable, ways: Sequence[Configuration], effort: Effort) -> Path:
        told = [(way.name, way.text, sorted(way.environment.items())) for way in ways]
        key = hashlib.sha256(repr((model.slo_seconds, told, effort)).encode()).hexdigest()[:12]
        return self.folder / f"{model.name}-{key}.json"

    def found(self, model: Measurable, ways: Sequence[Configuration], effort: Effort) -> list[Measured] | None:
        """The rows of a model; None where it is not measured yet."""
        file = self._file(model, ways, effort)
        if not file.exists():
            return None
        rows = json.loads(file.read_text(encoding="utf-8"))
        return [Measured(**{**row, "between_rps": tuple(row["between_rps"])}) for row in rows]

    def keep(self, model: Measurable, ways: Sequence[Configuration], effort: Effort, rows: Sequence[Measured]) -> None:
        """Writes them, whole or not at all."""
        file = self._file(model, ways, effort)
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
        partial.rename(file)
