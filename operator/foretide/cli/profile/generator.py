"""`python -m foretide.cli.profile.generator`: runs beside Triton in the pod of a profile; its log is the result."""

from __future__ import annotations

import asyncio
import os
import sys

from foretide.adapters.errors import AdapterError
from foretide.adapters.triton_load import TritonLoad
from foretide.cli.profile.measure import CannotMeasure, Emit, Measurement
from foretide.cli.profile.steps import WORDS, Failed, Order, Step, line
from foretide.serving.profiling import ORDER_VARIABLE


async def perform(order: Order, emit: Emit) -> None:
    """Measures, and emits what was measured; a failure is the last step."""
    try:
        async with TritonLoad(order.address, order.model) as server:
            await Measurement(server, order, emit).run()
    except (CannotMeasure, AdapterError) as error:
        emit(Failed(message=str(error)))


def main() -> int:
    """The exit code is 0 whenever the log tells what happened."""

    def emit(step: Step) -> None:
        sys.stdout.write(f"{line(step)}\n")
        sys.stdout.flush()

    try:
        order = Order.read(os.environ.get(ORDER_VARIABLE, ""))
    except ValueError as error:
        emit(Failed(message=f"the generator of this image cannot read the order: {error}"))
        return 0
    if order.words != WORDS:
        emit(Failed(message="the image's generator is of another release than this plugin"))
        return 0
    asyncio.run(perform(order, emit))
    return 0


if __name__ == "__main__":
    sys.exit(main())
