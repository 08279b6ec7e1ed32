"""F36: the operator is killed at every write, before and after it; what is there and what was written is the same."""

from __future__ import annotations

import pytest

from e2e.exhaustive.life import Death
from e2e.exhaustive.run import Story, play
from e2e.scenarios.api import Api
from foretide.adapters.kubernetes import KubernetesApi

pytestmark = pytest.mark.timeout(240)

# Of creation, update, scaling, a move to another class and deletion. One more or less, and not every one is tried.
WRITES = 30


def test_every_write_is_known(undisturbed: Story) -> None:
    assert len(undisturbed.diary.writes) == WRITES, undisturbed.diary.writes
    assert all(write.changed for write in undisturbed.diary.writes), "a write that changes nothing is one too many"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(1, WRITES + 1))
async def test_a_kill_is_not_seen(
    api: Api, operator: KubernetesApi, namespace: str, undisturbed: Story, write: int, after: bool
) -> None:
    story = await play(api, operator, namespace, death=Death(write, after))
    assert story.states == undisturbed.states
    assert story.diary.child_changes() == undisturbed.diary.child_changes()
    # A successor that finds a Deployment whose controller has not seen its new size yet cannot know that the template
    # is the same, and calls it a roll-out until it has.
    assert len(story.diary.changes()) - len(undisturbed.diary.changes()) in (0, 1)
