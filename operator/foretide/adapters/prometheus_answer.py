"""What an answer of Prometheus must be before anybody uses it: let in, whole, and no larger than memory allows."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
import requests
import urllib3.exceptions
from urllib3.util.retry import Retry

from foretide.adapters.errors import MESSAGE_LIMIT, AdapterError, Rejected, Unavailable

log: Final = logging.getLogger(__name__)

# Decoded, for 16 MiB of zeros are 16 KiB of gzip. 120,000 pods fit, and half a million points of a range.
ANSWER_LIMIT_BYTES: Final = 16 * 2**20
# A server that asks for more is asked again nevertheless: nothing is scaled meanwhile.
LONGEST_SILENCE_SECONDS: Final = 300
_ERROR_BYTES: Final = 4_096  # of an error's body

# What a query may raise beside the errors of adapters.
FAILURES: Final = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)

# What Prometheus from 2.47 on says of each rate() over Triton's counters, because their names do not end in _total: in
# `warnings`, until later releases had `infos` for it. It is about the expression; nothing is missing.
_ABOUT_THE_EXPRESSION: Final = ("PromQL info", "PromQL warning")


class Answer(requests.Response):
    """An answer with status 200 that ends where it is too large, and that is no answer where it is not whole."""

    def __init__(self, response: requests.Response, masked: Callable[[str], str]) -> None:
        super().__init__()
        vars(self).update(vars(response))
        self._masked: Final = masked

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        """As in requests; raises Rejected once more than ANSWER_LIMIT_BYTES were decoded."""
        size = 0
        for chunk in super().iter_content(chunk_size, decode_unicode):
            size += len(chunk)
            if size > ANSWER_LIMIT_BYTES:
                self.close()
                raise too_large(f"more than {ANSWER_LIMIT_BYTES:,} bytes")
            yield chunk

    def json(self, **_: Any) -> Any:
        """What the client takes `data.result` from, which is still to be read: of 20,000 pods it is 14 MiB of objects,
        and several answers come at once."""
        return {"data": {"result": Unread(self.content, self._masked)}}


class Unread:
    """`data.result` of an answer, as the bytes that came."""

    def __init__(self, content: bytes, masked: Callable[[str], str] = str) -> None:
        self._content: Final = content
        self._masked: Final = masked

    def parsed(self) -> Any:
        """As objects; raises Rejected where it is not what the query API answers, Unavailable where it says that it is
        partial.

        Not by requests, which tries hundreds of encodings on what is no JSON.
        """
        try:
            return _whole(orjson.loads(self._content), masked=self._masked)["data"]["result"]
        except (ValueError, RecursionError) as error:  # orjson reads deeper nesting than str() and repr() write
            raise malformed("the answer is not JSON") from error
        except (KeyError, TypeError) as error:
            raise malformed(f"not an answer of the query API: {type(error).__name__}") from error


def checked(response: requests.Response, *, masked: Callable[[str], str]) -> Answer:
    """Judges the status, before the body is read; raises Unavailable or Rejected.

    An error's body is for the log, masked: no text of another server reaches a status.
    """
    status = response.status_code
    if status == 200:
        return Answer(response, masked)
    with response:
        log.warning("Prometheus: HTTP Status Code %d: %.*r", status, MESSAGE_LIMIT, masked(_beginning(response)))
    words = f"HTTP Status Code {status}"
    if status in (401, 403):
        raise Rejected(f"{words}: the credentials are missing or refused", reason="PrometheusUnauthorized")
    if status in (429, 503):
        seconds = _retry_after_seconds(response)
        raise Unavailable(words, reason="PrometheusRejected", retry_after_seconds=seconds)
    if status >= 500:
        raise Unavailable(words, reason="PrometheusRejected")
    if 300 <= status < 400:  # it might lead to another host, or out of TLS
        words = f"{words}: a redirect, which is not followed; set the URL to where it leads"
    raise Rejected(words, reason="PrometheusRejected")


def failure(error: Exception, *, limit_seconds: float) -> AdapterError:
    """What went wrong with a query that had so much time, of FAILURES, in as few words of others as can be."""
    causes = list(_causes(error))
    # Not urllib3's own TimeoutError: a refused connection is one of those.
    late = (TimeoutError, requests.Timeout, urllib3.exceptions.ReadTimeoutError)
    if any(isinstance(cause, late) for cause in causes):
        return Unavailable(f"no answer in {limit_seconds:g} s", reason="PrometheusTimeout")
    innermost = causes[-1]
    # A connection that ends in the middle of TLS is broken like any other.
    ended = isinstance(innermost, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)
    untrusted = (ssl.SSLError, requests.exceptions.SSLError, urllib3.exceptions.SSLError)
    if not ended and any(isinstance(cause, untrusted) for cause in causes):
        return Unavailable(_words(innermost), reason="PrometheusTLS")
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return Rejected("the answer cannot be decompressed", reason="PrometheusMalformed")
    return Unavailable(_words(innermost), reason="PrometheusUnreachable")


def too_large(size: str) -> Rejected:
    """Of an answer with more than any honest one has."""
    return Rejected(f"the answer has {size}; it was not read to its end", reason="PrometheusTooLarge")


def malformed(message: str) -> Rejected:
    """Of an answer that is not as the query API promises; the message has no text of the answer."""
    return Rejected(message, reason="PrometheusMalformed")


def _whole(answer: Any, *, masked: Callable[[str], str]) -> Any:
    """The answer; raises Unavailable where it says that it is partial."""
    if isinstance(answer, dict) and (missing := _missing(answer)):
        log.warning("Prometheus: a partial answer: %.*s", MESSAGE_LIMIT, masked(repr(missing)))
        raise Unavailable("the answer says that it is partial", reason="PrometheusPartial")
    return answer


def _missing(answer: dict[str, Any]) -> list[Any]:
    """What says that the answer is not whole: warnings (Thanos, Prometheus' remote read), `isPartial`
    (VictoriaMetrics)."""
    warnings = answer.get("warnings") or []
    if not isinstance(warnings, list):
        warnings = [warnings]
    found = [each for each in warnings if not str(each).startswith(_ABOUT_THE_EXPRESSION)]
    return [*found, "isPartial"] if answer.get("isPartial") else found


def _beginning(response: requests.Response) -> str:
    """Of the body; nothing where it cannot be read."""
    try:
        return bytes(response.raw.read(_ERROR_BYTES, decode_content=True)).decode(errors="replace")
    except (urllib3.exceptions.HTTPError, OSError):
        return ""


def _retry_after_seconds(response: requests.Response) -> float:
    """Seconds or a date; 0 where the header is missing or neither."""
    try:
        return Retry(retry_after_max=LONGEST_SILENCE_SECONDS).get_retry_after(response.raw) or 0.0
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return 0.0


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what led to it, the first cause last."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _words(cause: BaseException) -> str:
    """What the machine or OpenSSL says; other errors repeat what the server sent."""
    return f"{type(cause).__name__}: {cause}" if isinstance(cause, OSError) else type(cause).__name__
