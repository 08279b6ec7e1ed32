"""The global model: quantiles of the coming maximum over the present level, for any service, from its features.

It was trained on public traces (docs/forecast-model.md has the data card) and knows no service by name. Each level has
trees of its own that add to the level below and never take away, so that quantiles cannot cross.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.booster import Booster
from foretide.scaling.forecast.features import NAMES

FILE: Final = "model.json.gz"
# Of the file that was trained for this version; another file is no model of ours.
SHA256: Final = "aa4c5f55f6cee008f173255cf2db56976221a080e2160c7ee5f3c1346fb8f216"
# A hundred times the present level, or a hundredth: further away there is nothing to know.
FARTHEST: Final = 5.0


class WrongModel(ValueError):
    """A file that is not the model that this version was made for."""


class Boosted(Protocol):
    """`Booster`, or what computes the same (`simulate.trees`)."""

    @property
    def text(self) -> str:
        """In the format of LightGBM."""

    def predict(self, rows: npt.NDArray[np.float32]) -> Floats:
        """One value per row of features, NaN allowed."""


@dataclass(frozen=True, slots=True, eq=False)
class GlobalModel:
    """Boosters of ascending levels."""

    levels: Floats
    boosters: tuple[Boosted, ...]

    @classmethod
    def read(cls, packed: bytes) -> GlobalModel:
        """Raises WrongModel for a model of other features."""
        document = json.loads(gzip.decompress(packed))
        if tuple(document["features"]) != NAMES:
            raise WrongModel(f"features must be {NAMES}, not {document['features']}")
        boosters = tuple(Booster(text) for text in document["boosters"])
        return cls(np.array(document["levels"]), boosters)

    def packed(self) -> bytes:
        """What `read` reads; the same model gives the same bytes."""
        document = {
            "features": NAMES,
            "levels": self.levels.tolist(),
            "boosters": [booster.text for booster in self.boosters],
        }
        return gzip.compress(json.dumps(document).encode(), mtime=0)

    def quantiles(self, table: Floats) -> Floats:
        """[rows, levels] of log((maximum + floor) / (level + floor)), ascending; for rows of features, NaN allowed."""
        found = np.empty((len(table), len(self.levels)))
        singles = table.astype(np.float32)
        so_far = np.zeros(len(table))
        for place, booster in enumerate(self.boosters):
            more = booster.predict(singles)
            so_far = so_far + (np.maximum(more, 0.0) if place else more)
            found[:, place] = so_far
        return np.clip(found, -FARTHEST, FARTHEST)


@cache
def shipped() -> GlobalModel:
    """The model of this version; raises WrongModel where its file is another."""
    packed = resources.files(__package__).joinpath(FILE).read_bytes()
    if hashlib.sha256(packed).hexdigest() != SHA256:
        raise WrongModel(f"{FILE} must have the checksum {SHA256}, not {hashlib.sha256(packed).hexdigest()}")
    return GlobalModel.read(packed)
