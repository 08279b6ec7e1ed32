"""What goes over the wire, and to whom."""

import pytest

from e2e.load import Target, request
from e2e.load.wire import parse_head


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://127.0.0.1:30080/v2", Target("127.0.0.1", 30080, "/v2")),
        ("http://localhost:8000", Target("127.0.0.1", 8000, "/")),
        ("http://127.8.9.1/a?b=c", Target("127.8.9.1", 80, "/a?b=c")),
        ("http://[::1]:8000/x", Target("::1", 8000, "/x")),
    ],
)
def test_loopback_urls_are_understood(url: str, target: Target) -> None:
    assert Target.parse(url) == target


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://10.0.0.1:8000/",
        "http://0.0.0.0:8000/",
        "http://198.18.255.1:30080/",
        "http://169.254.169.254/latest",
        "http://127.0.0.1.example.com/",
        "http://[2001:db8::1]/",
    ],
)
def test_every_other_host_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(ValueError, match="not a loopback address: load is sent only to this machine"):
        Target.parse(url)


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "127.0.0.1:8000", "file:///etc/passwd", ""])
def test_what_is_not_an_http_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected http://"):
        Target.parse(url)


def test_a_request_is_whole_and_asks_to_close() -> None:
    wire = request(Target("127.0.0.1", 8000, "/v2/x"), b"\x00body", {"Kind": "binary"})
    head, _, body = wire.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v2/x HTTP/1.1"
    assert set(lines[1:]) == {b"Host: 127.0.0.1:8000", b"Kind: binary", b"Content-Length: 5", b"Connection: close"}
    assert body == b"\x00body"
    assert request(Target("127.0.0.1", 8000, "/")).startswith(b"GET / HTTP/1.1\r\n")


def test_a_line_break_in_a_header_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        request(Target("127.0.0.1", 80, "/"), headers={"A": "b\r\nX: y"})


def test_the_head_of_an_answer() -> None:
    assert parse_head(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 7\r\nX-A:b") == (
        503,
        {"content-length": "7", "x-a": "b"},
    )
    assert parse_head(b"SSH-2.0-OpenSSH")[0] == 0
