"""Batch statistics straight from Triton pods: time spent per batch size, which no Prometheus metric shows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final, Protocol

import aiohttp
from tritonclient.http.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from foretide.adapters.errors import Unavailable

REQUEST_TIMEOUT_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class BatchCount:
    """Executions of one batch size since the server started, and the time they took together."""

    batch_size: int
    executions: int
    compute_seconds: float


class Triton(Protocol):
    """What the operator asks of a Triton pod."""

    async def batch_counts(self, *, address: str, model: str) -> tuple[BatchCount, ...]:
        """Cumulative executions per batch size of a model; raises Unavailable."""
        ...


class TritonHttp:
    """`Triton` over the HTTP statistics extension."""

    async def batch_counts(self, *, address: str, model: str) -> tuple[BatchCount, ...]:
        # One connection a call: Triton counts an idle keep-alive connection as busy and would wait for it
        # through its whole exit timeout when the pod is told to stop (measured: 8 s of 8 s).
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                async with InferenceServerClient(address, conn_timeout=REQUEST_TIMEOUT_SECONDS) as server:
                    answer = await server.get_inference_statistics(model, headers={"Connection": "close"})
        except (InferenceServerException, aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            raise Unavailable(f"statistics of {address}: {error}", reason=type(error).__name__) from error
        return tuple(_batch_counts(answer))


def _batch_counts(answer: dict[str, Any]) -> list[BatchCount]:
    """Reads `model_stats[].batch_stats[]`; a field that is missing or not a number is an answer we do not have."""
    try:
        return [
            BatchCount(
                batch_size=_counter(batch["batch_size"], bits=31),
                executions=_counter(batch["compute_infer"]["count"]),
                compute_seconds=sum(
                    _counter(batch[phase]["ns"]) for phase in ("compute_input", "compute_infer", "compute_output")
                )
                / 1e9,
            )
            for model in answer["model_stats"]
            for batch in model.get("batch_stats", ())
        ]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Unavailable(f"statistics not understood: {error!r}", reason="Malformed") from error


def _counter(value: Any, *, bits: int = 64) -> int:
    """An unsigned integer of Triton; anything larger would overflow where it is counted with."""
    number = int(value)
    if number < 0 or number.bit_length() > bits:
        raise ValueError(f"not a counter of {bits} bits")
    return number
