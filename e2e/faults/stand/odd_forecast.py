"""`python -m e2e.faults.stand.odd_forecast MODE`: the operator, whose model fails in one of several ways."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from foretide.__main__ import main
from foretide.scaling.forecast.model import GlobalModel

Quantiles = Callable[[GlobalModel, Any], Any]


def _raises(model: GlobalModel, table: Any) -> Any:
    raise RuntimeError(f"the library has no answer for {len(table)} rows of {len(model.levels)} levels")


def _hangs(model: GlobalModel, table: Any) -> Any:
    del model, table
    time.sleep(3_600.0)


def _always(number: float) -> Quantiles:
    return lambda model, table: np.full((len(table), len(model.levels)), number)


MODES: Final[Mapping[str, Quantiles]] = {
    "raises": _raises,
    "hangs": _hangs,
    "nan": _always(np.nan),
    "infinite": _always(np.inf),
    "negative": _always(-1e9),
    "absurd": _always(1e9),
}

if __name__ == "__main__":
    GlobalModel.quantiles = MODES[sys.argv.pop(1)]  # type: ignore[method-assign,assignment]
    sys.exit(main())
