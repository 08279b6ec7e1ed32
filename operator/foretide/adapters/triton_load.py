"""Requests to a Triton server, as clients of a service send them: what a measurement of its speed is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Protocol

import aiohttp
import numpy as np
import numpy.typing as npt
from tritonclient.http import InferInput
from tritonclient.http.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException, np_to_triton_dtype, triton_to_np_dtype

from foretide.adapters.errors import AdapterError, Rejected, Unavailable
from foretide.adapters.pod_http import PodHttp
from foretide.adapters.triton import BatchCount, TritonHttp

CONNECTIONS: Final = 1_024
REQUEST_TIMEOUT_SECONDS: Final = 60.0
DESCRIBE_TIMEOUT_SECONDS: Final = 10.0

Tensors = Mapping[str, npt.NDArray[Any]]
_FAILURES: Final = (InferenceServerException, aiohttp.ClientError, OSError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class Input:
    """An input of a model, by Triton's own configuration of it."""

    name: str
    data_type: str  # as in requests: FP32, BYTES
    dims: tuple[int, ...]  # without the batch dimension; -1 where any size will do


@dataclass(frozen=True, slots=True)
class Served:
    """What a server says of a model."""

    inputs: tuple[Input, ...]
    max_batch_size: int  # 0 without a batch dimension
    decoupled: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that is ready to be sent many times."""

    inputs: tuple[InferInput, ...]


class Server(Protocol):
    """One model on one server, under load."""

    async def served(self) -> Served:
        """What the server says of the model. Raises Unavailable or Rejected."""
        ...

    async def infer(self, request: Prepared) -> None:
        """One request, until its answer is there. Raises Rejected for an answer that is an error, else Unavailable."""
        ...

    async def batch_counts(self) -> tuple[BatchCount, ...]:
        """Cumulative executions per batch size; raises Unavailable."""
        ...


class TritonLoad:
    """`Server` over HTTP, inside `async with`; connections are kept while it lasts."""

    def __init__(self, address: str, model: str) -> None:
        self._address: Final = address
        self._model: Final = model
        self._pods: Final = PodHttp()

    async def __aenter__(self) -> TritonLoad:
        self._client = InferenceServerClient(
            self._address, conn_limit=CONNECTIONS, conn_timeout=REQUEST_TIMEOUT_SECONDS
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()
        await self._pods.close()

    async def served(self) -> Served:
        try:
            async with asyncio.timeout(DESCRIBE_TIMEOUT_SECONDS):
                config = await self._client.get_model_config(self._model)
            return Served(
                inputs=tuple(_input(one) for one in config.get("input", ()) if not one.get("optional")),
                max_batch_size=int(config.get("max_batch_size", 0)),
                decoupled=bool(config.get("model_transaction_policy", {}).get("decoupled")),
            )
        except (*_FAILURES, KeyError, TypeError, AttributeError) as error:
            raise self._failure(error) from error

    async def infer(self, request: Prepared) -> None:
        try:
            await self._client.infer(self._model, request.inputs)
        except _FAILURES as error:
            raise self._failure(error) from error

    async def batch_counts(self) -> tuple[BatchCount, ...]:
        return await TritonHttp(self._pods).batch_counts(address=self._address, model=self._model)

    def _failure(self, error: Exception) -> AdapterError:
        message = f"{self._address}, model {self._model}: {str(error) or type(error).__name__}"
        if isinstance(error, InferenceServerException):
            return Rejected(message, reason=str(error.status() or "Refused"))
        return Unavailable(message, reason=type(error).__name__)


def prepared(tensors: Tensors) -> Prepared:
    """A request of these tensors, in Triton's binary form."""
    found = []
    for name, values in tensors.items():
        one = InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
        one.set_data_from_numpy(values)
        found.append(one)
    return Prepared(tuple(found))


def element_type(data_type: str) -> npt.DTypeLike | None:
    """What numpy calls Triton's word of a request; None where it has none."""
    found = triton_to_np_dtype(data_type)
    return None if found is None else np.dtype(found)


def _input(told: Mapping[str, Any]) -> Input:
    kind = str(told["data_type"]).removeprefix("TYPE_")
    return Input(str(told["name"]), "BYTES" if kind == "STRING" else kind, tuple(int(size) for size in told["dims"]))
