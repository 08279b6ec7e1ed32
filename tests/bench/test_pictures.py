"""The pictures and numbers of the pages that explain are those of the code."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from bench import pictures

DOCS = pictures.FOLDER.parent


def test_the_rates_in_the_slo_guide_are_those_of_the_capacity_table() -> None:
    text = (DOCS / "slo-guide.md").read_text(encoding="utf-8")
    rows = re.findall(r'^\| `"([\d.]+)"` \| [\d,]+ \| (\d+) \|', text, re.MULTILINE)
    assert len(rows) == 4
    for objective, told in rows:
        (rate,) = pictures.capacity(np.array([pictures.SLO_SECONDS]), float(objective) / 100.0).rate_rps
        assert float(told) == pytest.approx(rate, abs=0.51)
    (tighter,) = re.findall(r"Within 150 ms they are ([\d, and]+)\.", text)
    found = [pictures.capacity(np.array([0.150]), float(objective) / 100.0).rate_rps[0] for objective, _ in rows]
    assert [int(one) for one in re.findall(r"\d+", tighter)] == pytest.approx(found, abs=0.51)


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    pictures.rates(tmp_path / "rates.svg")
    assert ElementTree.parse(tmp_path / "rates.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own file


def test_days_are_the_trace_by_the_minute() -> None:
    rates = pictures.rates_rps()
    assert len(rates) == 2 * pictures.DAY_SECONDS / pictures.MINUTE_SECONDS
    assert rates.max() == pytest.approx(pictures.PEAK_RPS)
