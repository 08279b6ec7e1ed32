"""One item, as it is sent: of zeros, or as the user says. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from foretide.adapters.triton_load import Input, Tensors, element_type

# It travels in the environment of a container.
LONGEST_TEXT: Final = 96 * 1024
EXAMPLE: Final = '{"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [0, 0, 0, 0]}]}'


class NoRequest(Exception):
    """There is nothing to send; the message names what is missing."""


def of_zeros(inputs: Sequence[Input], *, batching: bool) -> dict[str, npt.NDArray[Any]]:
    """One item of zeros, which nearly every model takes: a random number may be an index that it does not have.

    Raises NoRequest where a size or a text would have to be made up.
    """
    found = {}
    for one in inputs:
        if min(one.dims, default=1) < 1:
            raise NoRequest(f"input {one.name} has the shape {list(one.dims)}, where -1 may be any size")
        if (kind := element_type(one.data_type)) is None or one.data_type == "BYTES":
            raise NoRequest(f"input {one.name} takes {one.data_type}, and what is in it is not known")
        found[one.name] = np.zeros((1, *one.dims) if batching else one.dims, dtype=kind)
    if not found:
        raise NoRequest("the server tells no input of the model")
    return found


def of_json(text: str, *, batching: bool) -> dict[str, npt.NDArray[Any]]:
    """One item from the body of a request (KServe v2, JSON). Raises NoRequest for anything else."""
    if len(text) > LONGEST_TEXT:
        raise NoRequest(f"it has {len(text):,} characters, at most {LONGEST_TEXT:,} are sent: shorten its tensors")
    try:
        told = json.loads(text)["inputs"]
        found = {str(one["name"]): _tensor(one) for one in told}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoRequest(f"it is not the body of a request like {EXAMPLE}: {error}") from error
    for name, values in found.items():
        if batching and values.shape[:1] != (1,):
            raise NoRequest(f"{name} has the shape {list(values.shape)}: give one item, so that the first size is 1")
    if not found:
        raise NoRequest("it has no input")
    return found


def of_items(one: Tensors, items: int) -> dict[str, npt.NDArray[Any]]:
    """The same item several times in one request."""
    return {name: np.repeat(values, items, axis=0) if items > 1 else values for name, values in one.items()}


def _tensor(told: Mapping[str, Any]) -> npt.NDArray[Any]:
    kind = element_type(str(told["datatype"]))
    if kind is None:
        raise ValueError(f"datatype {told['datatype']} is none of Triton's")
    values = np.array(told["data"], dtype=kind)
    if kind == np.object_:
        values = np.array([str(each).encode() for each in values.ravel()], dtype=np.object_)
    return values.reshape([int(size) for size in told["shape"]])
