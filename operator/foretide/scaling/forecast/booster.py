"""One LightGBM model that predicts, through LightGBM's C API.

Its Python package imports scipy.sparse and more, which takes 2 s and 25 MiB of an operator that has 100; to predict
needs the library alone. Training uses the package (bench/forecast_model).
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from foretide.scaling.arrays import Floats

# As lightgbm/c_api.h has them.
FLOAT32: Final = 0
ROW_MAJOR: Final = 1
PREDICT_NORMAL: Final = 0
ALL_ITERATIONS: Final = -1
# A tick of the brain is one of several things that the operator does: it takes no second core.
PARAMETERS: Final = b"num_threads=1 predict_disable_shape_check=false"


class Unusable(ValueError):
    """LightGBM refused; the message is its own."""


class Booster:
    """A model in the text format of `lightgbm.Booster.model_to_string`."""

    def __init__(self, text: str) -> None:
        self.text: Final = text
        self._handle: Final = ctypes.c_void_p()
        iterations = ctypes.c_int()
        _check(
            _library().LGBM_BoosterLoadModelFromString(
                text.encode(), ctypes.byref(iterations), ctypes.byref(self._handle)
            )
        )

    def __del__(self) -> None:
        if self._handle:
            _library().LGBM_BoosterFree(self._handle)

    def predict(self, rows: npt.NDArray[np.float32]) -> Floats:
        """One value per row of features, NaN allowed; raises Unusable for another number of features."""
        table = np.ascontiguousarray(rows, dtype=np.float32)
        found = np.empty(len(table))
        length = ctypes.c_int64()
        if not len(table):
            return found
        _check(
            _library().LGBM_BoosterPredictForMat(
                self._handle,
                table.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_int(FLOAT32),
                ctypes.c_int32(table.shape[0]),
                ctypes.c_int32(table.shape[1]),
                ctypes.c_int(ROW_MAJOR),
                ctypes.c_int(PREDICT_NORMAL),
                ctypes.c_int(0),
                ctypes.c_int(ALL_ITERATIONS),
                PARAMETERS,
                ctypes.byref(length),
                found.ctypes.data_as(ctypes.c_void_p),
            )
        )
        return found


@cache
def _library() -> ctypes.CDLL:
    package = find_spec("lightgbm")
    if package is None or package.origin is None:
        raise Unusable("the package lightgbm is not installed")
    library = ctypes.CDLL(str(Path(package.origin).parent / "lib" / "lib_lightgbm.so"))
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    return library


def _check(code: int) -> None:
    if code != 0:
        raise Unusable(_library().LGBM_GetLastError().decode(errors="replace"))
