"""What becomes of a true answer: of the query API, and of the API server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Answer = dict[str, Any]
Series = list[dict[str, Any]]


def _series(change: Callable[[Series, float], Series]) -> Callable[[Answer, float], Answer]:
    def applied(answer: Answer, number: float) -> Answer:
        data = answer.get("data", {})
        result = data.get("result")
        if not isinstance(result, list):
            return answer
        return {**answer, "data": {**data, "result": change(result, number)}}

    return applied


def _valued(series: Mapping[str, Any], change: Callable[[float, str], tuple[float, str]]) -> dict[str, Any]:
    """With other samples: `value` of an instant vector, `values` of a range."""
    found = dict(series)
    if "value" in found:
        found["value"] = list(change(*found["value"]))
    if "values" in found:
        found["values"] = [list(change(*sample)) for sample in found["values"]]
    return found


def _set(text: str) -> Callable[[Answer, float], Answer]:
    return _series(lambda result, _: [_valued(one, lambda at, _: (at, text)) for one in result])


TRANSFORMS: Final[Mapping[str, Callable[[Answer, float], Answer]]] = {
    "empty": _series(lambda _, __: []),
    "nan": _set("NaN"),
    "infinite": _set("+Inf"),
    "minus_infinite": _set("-Inf"),
    "absurd": _set("1e308"),
    "negative": _series(lambda result, _: [_valued(one, lambda at, v: (at, f"-{v}")) for one in result]),
    "scaled": _series(lambda result, by: [_valued(one, lambda at, v: (at, f"{float(v) * by!r}")) for one in result]),
    "set": _series(lambda result, to: [_valued(one, lambda at, _: (at, f"{to!r}")) for one in result]),
    "shifted": _series(lambda result, by: [_valued(one, lambda at, v: (at + by, v)) for one in result]),
    # a share of the series, those with the first names
    "some": _series(lambda result, share: result[: int(len(result) * share)]),
    "twice": _series(lambda result, _: result + result),
    "scalar": lambda answer, _: {**answer, "data": {"resultType": "scalar", "result": [0, "0"]}},
    "warned": lambda answer, _: {**answer, "warnings": ["a store of it is away: no answer in 5 s"]},
    "error": lambda _, __: {"status": "error", "errorType": "execution", "error": "query: too many samples"},
    # a line of a watch: the API server ends it with this status
    "ended": lambda _, code: {"type": "ERROR", "object": {"kind": "Status", "code": int(code), "message": "it ends"}},
    "null": lambda _, __: {"status": "success", "data": None},
}

CREATED: Final = re.compile(rb'"creationTimestamp":"([^"]+)"')


def changed(transform: str, number: float, data: bytes) -> bytes:
    """An answer, or a line of a watch, with one of TRANSFORMS, or `aged`: all in it was made so many seconds before."""
    if transform != "aged":
        return json.dumps(TRANSFORMS[transform](json.loads(data), number)).encode() + b"\n"

    def earlier(found: re.Match[bytes]) -> bytes:
        at = datetime.fromisoformat(found[1].decode()).astimezone(UTC) - timedelta(seconds=number)
        return f'"creationTimestamp":"{at:%Y-%m-%dT%H:%M:%SZ}"'.encode()

    return CREATED.sub(earlier, data)
