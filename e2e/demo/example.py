"""examples/filetype as the demo reads it: what is applied is what a reader of the folder sees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from e2e.demo.model import REPOSITORY
from foretide.api.durations import format_seconds, parse_seconds
from foretide.api.quantities import parse_quantity

FOLDER = REPOSITORY / "examples" / "filetype"
TRACE = REPOSITORY / "examples" / "traces" / "azure_llm_code_two_days.csv"


@dataclass(frozen=True, slots=True)
class Example:
    """The names and numbers in the example's files."""

    name: str
    namespace: str
    claim: str
    path: str  # of the model's folder inside the claim
    slo_seconds: float
    objective: str  # percent
    replica_cores: float
    node_port: int

    @property
    def infer_path(self) -> str:
        """Where the model answers."""
        return f"/v2/models/{self.name}/infer"


def read(folder: Path = FOLDER) -> Example:
    """The example in a folder."""
    service, hardware, port = (
        load(folder / f"{name}.yaml") for name in ("inferenceservice", "hardwareclass", "nodeport")
    )
    source = service["spec"]["model"]["source"]["persistentVolumeClaim"]
    return Example(
        name=service["metadata"]["name"],
        namespace=service["metadata"]["namespace"],
        claim=source["claimName"],
        path=source["path"],
        slo_seconds=parse_seconds(service["spec"]["slo"]["latency"]),
        objective=service["spec"]["slo"]["objective"],
        replica_cores=float(parse_quantity(hardware["spec"]["resources"]["limits"]["cpu"])),
        node_port=port["spec"]["ports"][0]["nodePort"],
    )


def policy(*, season_seconds: float | None) -> dict[str, Any]:
    """The example's ScalingPolicy for days of another length, or for a load that does not come again."""
    found = load(FOLDER / "scalingpolicy.yaml")
    del found["spec"]["forecast"]["season"]
    if season_seconds is not None:
        found["spec"]["forecast"]["season"] = format_seconds(round(season_seconds))
    return found


def load(path: Path) -> dict[str, Any]:
    """The one object in a YAML file."""
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found
