"""Parts of the brain that can be left out: to measure what each is worth, and to run one version against another."""

from __future__ import annotations

from enum import StrEnum


class Part(StrEnum):
    """By the name that tables of ablations show."""

    CONFORMAL = "conformal calibration"
    ADAPTIVE_RISK = "adaptive level"
    LEAD_TIME = "measured lead time"  # else one that is assumed
    CONSOLIDATION = "consolidation check"
    GLOBAL_MODEL = "global model"
    EXPERTS = "experts"
    KAPPA = "kappa"


NOTHING: frozenset[Part] = frozenset()
