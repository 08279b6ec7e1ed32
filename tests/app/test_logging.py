"""What the operator logs of the libraries it stands on: nothing that comes with each request or event."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from foretide.__main__ import configure_logging
from foretide.app.settings import Settings


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    names = (None, "kopf", "httpx")
    levels = {name: logging.getLogger(name).level for name in names}
    handlers = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING"])
def test_requests_and_events_are_not_told_one_by_one(level: str) -> None:
    configure_logging(Settings.model_validate({"log_level": level}))
    assert logging.getLogger("foretide").isEnabledFor(logging.getLevelNamesMapping()[level])
    for name in ("httpx", "kopf.objects"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
        assert logging.getLogger(name).isEnabledFor(logging.WARNING)


def test_an_operator_that_tells_errors_only_tells_no_more_of_them() -> None:
    configure_logging(Settings.model_validate({"log_level": "ERROR"}))
    assert not logging.getLogger("httpx").isEnabledFor(logging.WARNING)
