"""Batch statistics straight from Triton pods: time spent per batch size, which no Prometheus metric shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote

import orjson

from foretide.adapters.errors import Unavailable
from foretide.adapters.pod_http import PodHttp

# 256 batch sizes of two versions make 250 kB.
BODY_LIMIT_BYTES: Final = 2**20


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

    def __init__(self, pods: PodHttp) -> None:
        self._pods: Final = pods

    async def batch_counts(self, *, address: str, model: str) -> tuple[BatchCount, ...]:
        url = f"http://{address}/v2/models/{quote(model, safe='')}/stats"
        body = await self._pods.get(url, accept="application/json", limit_bytes=BODY_LIMIT_BYTES)
        try:
            answer = orjson.loads(body)
        except ValueError as error:
            raise Unavailable(f"{url}: the answer is not JSON", reason="Malformed") from error
        return tuple(_batch_counts(answer))


def _batch_counts(answer: Any) -> list[BatchCount]:
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
