"""The bill of materials names every package that is locked for the image, with a licence."""

from __future__ import annotations

import json
import re
from pathlib import Path

from manifests import sbom
from tests.chart import charts


def test_every_locked_package_is_in_it_with_its_version_and_a_licence(tmp_path: Path) -> None:
    assert sbom.main([str(tmp_path)]) == 0
    bill = json.loads((tmp_path / "foretide-operator.cdx.json").read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    found = {part["name"]: part["version"] for part in bill["components"]}
    for name in ("kopf", "kubernetes", "numpy", "pydantic", "lightgbm"):
        assert f"\n{name}=={found[name]} " in "\n" + sbom.LOCKED.read_text(encoding="utf-8")
    assert "colorama" not in found, "that of Windows alone"
    assert all(part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}" for part in bill["components"])
    licences = (tmp_path / "licences.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\| [\w.-]+ \| [\w.]*\d[\w.]* \| .+ \|$", licences, re.MULTILINE)) == len(found)


def test_what_the_image_leaves_out_it_does_leave_out() -> None:
    text = (charts.ROOT / "operator" / "Containerfile").read_text(encoding="utf-8")
    for name in sbom.REMOVED:
        assert f"/opt/foretide/site/{name}*" in text
