"""The measurement: closed loops for the law of batch times, then open loops around the rate that follows from it.

Batches form as they do under clients, of single items that wait together; what clients cannot fill, because they are
slower than the model, requests of several items do. How long batches take Triton's own statistics tell, so that
neither the network nor the generator is in the law.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from foretide.adapters.errors import Rejected
from foretide.adapters.triton_load import Server, Tensors, prepared
from foretide.cli.profile import loops, request
from foretide.cli.profile.law import Measured, is_disturbed, measured, tells
from foretide.cli.profile.steps import Closed, Doing, Open, Order, Step
from foretide.scaling.capacity import increase
from foretide.scaling.capacity.evidence import BatchStatistics

CLOSED_SECONDS: Final = 2.5
WARM_UP_SECONDS: Final = 1.0
# One process cannot do with more; larger batches are then made of requests with several items.
MOST_CLIENTS: Final = 128
# Of the rate that the table promises. Above the last one steps go on while the SLO is kept, up to the limit.
FACTORS: Final = (0.5, 0.8, 0.9, 1.0, 1.1)
FURTHER: Final = 1.1
MOST_FACTOR: Final = 1.6
# So many times more late than the objective allows: a higher rate tells nothing more.
FAR_BEYOND: Final = 5.0
# The law takes about a quarter of the time.
LAW_SHARE: Final = 0.25

Emit = Callable[[Step], None]


class CannotMeasure(Exception):
    """The message says why, and what to do."""


@dataclass(slots=True)
class Measurement:
    """One server under one order."""

    server: Server
    order: Order
    emit: Emit
    _steps: list[Closed] = field(default_factory=list)
    _ends: float = 0.0  # by the clock of the event loop

    async def run(self) -> None:
        """All steps. Raises CannotMeasure, or AdapterError where the server does not answer."""
        self._ends = asyncio.get_running_loop().time() + self.order.limit_seconds
        one = await self._item()
        await self._law(one)
        found = self._found()
        if found is None:
            raise CannotMeasure("too few batches were executed to tell how long they take")
        if found.feasible:
            await self._open(one, found)

    async def _item(self) -> Tensors:
        served = await self.server.served()
        if served.decoupled:
            raise CannotMeasure("the model gives several answers to a request (decoupled): no law of batch times is it")
        batching = served.max_batch_size > 0
        if served.max_batch_size < self.order.max_batch:
            raise CannotMeasure(
                f"the server takes batches of {served.max_batch_size}, the spec says {self.order.max_batch}: another "
                "version of the model runs there"
            )
        try:
            if self.order.request:
                return request.of_json(self.order.request, batching=batching)
            return request.of_zeros(served.inputs, batching=batching)
        except request.NoRequest as error:
            if self.order.request:
                raise CannotMeasure(f"--request: {error}") from error
            raise CannotMeasure(
                f"{error}: give a request of one item with --request FILE, like {request.EXAMPLE}"
            ) from error

    async def _law(self, one: Tensors) -> None:
        """Batches of all sizes."""
        full = min(2 * max(self.order.max_batch, 1) * self.order.instances, MOST_CLIENTS)
        plan = [(clients, 1) for clients in _doubling(self.order.instances, full)]
        self.emit(Doing(what="warming up", share=0.0))
        await self._closed(one, clients=full, items=1, seconds=WARM_UP_SECONDS)
        for at, (clients, items) in enumerate(plan):
            self.emit(Doing(what=f"closed loop, {_clients(clients)}", share=LAW_SHARE * at / len(plan)))
            self._keep(await self._closed(one, clients=clients, items=items, seconds=CLOSED_SECONDS))
        found = self._found()
        seen = found.largest if found else 1
        for items in _doubling(2, self.order.max_batch):
            if items > seen:
                self.emit(Doing(what=f"closed loop, {items} items a request", share=LAW_SHARE))
                await self._closed(one, clients=self.order.instances, items=items, seconds=WARM_UP_SECONDS / 2)
                self._keep(await self._closed(one, clients=self.order.instances, items=items, seconds=CLOSED_SECONDS))

    async def _closed(self, one: Tensors, *, clients: int, items: int, seconds: float) -> Closed:
        self._in_time()
        message = prepared(request.of_items(one, items))
        before = await self._counts()
        try:
            tally = await loops.closed(lambda: self.server.infer(message), clients=clients, seconds=seconds)
        except ExceptionGroup as errors:
            refused, others = errors.split(Rejected)
            if refused is None or others is not None:
                raise (others or errors).exceptions[0] from errors
            raise CannotMeasure(f"the server refuses the request: {refused.exceptions[0]}") from errors
        batches = increase(before, await self._counts())
        return Closed(
            clients=clients,
            items=items,
            seconds=tally.seconds,
            requests=tally.requests,
            batches=tuple((size, *counts) for size, counts in sorted(batches.items())),
        )

    async def _counts(self) -> BatchStatistics:
        told = await self.server.batch_counts()
        return {one.batch_size: (float(one.executions), one.compute_seconds) for one in told}

    def _keep(self, step: Closed) -> None:
        self._steps.append(step)
        self.emit(step)

    def _found(self) -> Measured | None:
        order = self.order
        return measured(
            self._steps,
            max_batch=order.max_batch,
            instances=order.instances,
            slo_seconds=order.slo_seconds,
            objective=order.objective,
        )

    async def _open(self, one: Tensors, found: Measured) -> None:
        """Around the rate of the table, from below; ends where the SLO is not kept any more."""
        order = self.order
        for at, factor in enumerate(_factors()):
            share = LAW_SHARE + (1.0 - LAW_SHARE) * min(at / len(FACTORS), 0.95)
            step = await self._opened(one, factor * found.rate, share)
            if is_disturbed(step, slo_seconds=order.slo_seconds):
                step = await self._opened(one, factor * found.rate, share)
            told = tells(step, slo_seconds=order.slo_seconds, objective=order.objective)
            if factor >= FACTORS[-1] and not (told and step.kept_share >= order.objective):
                return
            if told and step.kept_share < 1.0 - FAR_BEYOND * (1.0 - order.objective):
                return

    async def _opened(self, one: Tensors, rate: float, share: float) -> Open:
        self._in_time()
        message, order = prepared(one), self.order
        self.emit(Doing(what=f"open loop, {rate:.4g} items/s", share=share))
        step = await loops.opened(
            lambda: self.server.infer(message),
            rate=rate,
            seconds=order.open_seconds,
            slo_seconds=order.slo_seconds,
            objective=order.objective,
        )
        self.emit(step)
        return step

    def _in_time(self) -> None:
        if asyncio.get_running_loop().time() > self._ends:
            raise CannotMeasure(
                f"the model is too slow to be measured in {self.order.limit_seconds:.0f} s: --open-seconds takes less "
                "time, and a profile written by hand none"
            )


def _factors() -> Iterator[float]:
    yield from FACTORS
    factor = FACTORS[-1] * FURTHER
    while factor <= MOST_FACTOR:
        yield factor
        factor *= FURTHER


def _doubling(first: int, last: int) -> Iterator[int]:
    """first, 2 first, ... and last."""
    while first < last:
        yield first
        first *= 2
    yield last


def _clients(number: int) -> str:
    return "1 client" if number == 1 else f"{number} clients"
