"""F43: every event of the watch in turn is lost, late, told twice or told after its successor; the end is the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from e2e.exhaustive.run import Story, Watch, play
from e2e.exhaustive.stage import Event
from e2e.scenarios.api import Api
from foretide.adapters.kubernetes import KubernetesApi

pytestmark = pytest.mark.timeout(240)

EVENTS = 44


def lost(number: int) -> Watch:
    return _changed(number, lambda event, rest: (list(rest), []))


def late(number: int) -> Watch:
    """Until nothing else happens."""
    return _changed(number, lambda event, rest: (list(rest), [event]))


def twice(number: int) -> Watch:
    return _changed(number, lambda event, rest: ([event, event, *rest], []))


def after_its_successor(number: int) -> Watch:
    """Within what is told at once; of an older state of the same object, at times."""
    return _changed(number, lambda event, rest: ([*rest[:1], event, *rest[1:]], []))


@pytest.mark.parametrize("change", [lost, late, twice, after_its_successor])
@pytest.mark.parametrize("number", range(EVENTS))
async def test_the_end_is_the_same(
    api: Api,
    operator: KubernetesApi,
    namespace: str,
    undisturbed: Story,
    number: int,
    change: Callable[[int], Watch],
) -> None:
    assert undisturbed.events == EVENTS
    story = await play(api, operator, namespace, watch=change(number))
    assert story.states == undisturbed.states
    assert story.diary.child_changes() == undisturbed.diary.child_changes()


def _changed(number: int, change: Callable[[Event, Sequence[Event]], tuple[list[Event], list[Event]]]) -> Watch:
    def watch(events: Sequence[Event], before: int) -> tuple[list[Event], list[Event]]:
        at = number - before
        if not 0 <= at < len(events):
            return list(events), []
        now, held = change(events[at], events[at + 1 :])
        return [*events[:at], *now], held

    return watch
