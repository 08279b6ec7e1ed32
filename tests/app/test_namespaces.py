"""Which of the namespaces that the operator was told it can work in."""

from __future__ import annotations

import pytest

from foretide.adapters.errors import AdapterError, Rejected, Unavailable
from foretide.app.namespaces import open_to
from tests.control.fakes import API_DOWN, FakeKubernetes


async def test_all_namespaces_are_asked_about_by_nobody() -> None:
    kubernetes = FakeKubernetes()
    assert await open_to(kubernetes, ()) == ()
    assert kubernetes.calls == 0


async def test_one_that_is_closed_is_left_out_with_a_word_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert await open_to(FakeKubernetes(closed={"search"}), ("shop", "search", "ads")) == ("shop", "ads")
    assert "namespace search is left out: cannot list scalingpolicies" in caplog.text


async def test_none_is_not_all() -> None:
    with pytest.raises(Rejected):
        await open_to(FakeKubernetes(closed={"search"}), ("search",))


@pytest.mark.parametrize("error", [API_DOWN, Rejected("no such kind", reason="NotFound")])
async def test_what_is_not_known_closes_nothing(error: AdapterError) -> None:
    kubernetes = FakeKubernetes(fail=lambda call, verb, kind: error)
    with pytest.raises((Rejected, Unavailable)) as raised:
        await open_to(kubernetes, ("shop", "search"))
    assert raised.value is error
