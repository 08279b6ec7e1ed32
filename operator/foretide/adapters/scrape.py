"""Metrics straight from a Triton pod: where the load is read while Prometheus gives no answer.

The other side runs a user's model: whatever it sends costs no more than two megabytes and a tenth of a second.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final, Protocol

from prometheus_client.parser import text_string_to_metric_families

from foretide.adapters.errors import Unavailable
from foretide.adapters.pod_http import PodHttp
from foretide.adapters.triton_metrics import METRICS, SERIES_LABELS
from foretide.scaling.policy import Quantity

# Twenty models make 19 kB of text.
BODY_LIMIT_BYTES: Final = 2 * 2**20
# Of our lines, in characters: two versions of a model on eight GPUs make 20,000. The parser needs 40 ms for as many
# plain ones, 90 ms for the worst of all; its time grows with the square of a line.
TEXT_LIMIT: Final = 64_000
LINE_LIMIT: Final = 1_000

# Only our lines reach the parser: for all of a model it takes 2.4 ms, for these 0.5.
_OURS: Final = re.compile(rf"^(?:{'|'.join(metric.name for metric in METRICS.values())})[{{ \t].*$", re.MULTILINE)


class Scraper(Protocol):
    """What the operator asks of a pod's metrics port."""

    async def scrape(self, *, address: str, model: str) -> Mapping[Quantity, float]:
        """What the pod tells of that model now; a quantity that it does not tell is absent.

        Raises Unavailable, with one of five reasons: Timeout, Unreachable, Refused, TooLarge or Malformed.
        """
        ...


class ScrapeHttp:
    """`Scraper` over HTTP."""

    def __init__(self, pods: PodHttp) -> None:
        self._pods: Final = pods

    async def scrape(self, *, address: str, model: str) -> Mapping[Quantity, float]:
        url = f"http://{address}/metrics"
        body = await self._pods.get(url, accept="text/plain", limit_bytes=BODY_LIMIT_BYTES)
        try:
            return quantities(body.decode(), model=model)
        # IndexError is the parser's own word for a label of nothing; OverflowError is a number of 400 digits.
        except (ValueError, LookupError, OverflowError) as error:
            raise Unavailable(f"{url} not understood: {error!r}", reason="Malformed") from error


def quantities(text: str, *, model: str) -> dict[Quantity, float]:
    """What the text says of a model, over its versions, failure reasons and GPUs.

    A quantity of which one series is NaN or infinite is absent, like one without series: the rest of them would read
    as less load. Raises ValueError, LookupError or OverflowError for text that is none, Unavailable for too much.
    """
    lines = _OURS.findall(text)
    if sum(map(len, lines)) > TEXT_LIMIT or any(len(line) > LINE_LIMIT for line in lines):
        message = f"series of more than {TEXT_LIMIT} characters, or one of more than {LINE_LIMIT}"
        raise Unavailable(message, reason="TooLarge")
    series: dict[str, dict[tuple[str, ...], list[float]]] = defaultdict(lambda: defaultdict(list))
    for family in text_string_to_metric_families("\n".join(lines)):
        for sample in family.samples:
            if sample.labels.get("model") == model:
                which = tuple(sample.labels.get(label, "") for label in SERIES_LABELS)
                series[sample.name][which].append(float(sample.value))
    found = {}
    for quantity, metric in METRICS.items():
        values = series.get(metric.name, {}).values()
        # One that is not finite makes the sum so, and so do those that are too large together.
        total = sum(max(told) if all(map(math.isfinite, told)) else math.nan for told in values) / metric.per_unit
        if values and math.isfinite(total):
            found[quantity] = total
    return found
