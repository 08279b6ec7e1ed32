"""F44: an operator starts with a view of the cluster that is older than the cluster: nothing is made of it."""

from __future__ import annotations

from itertools import combinations

import pytest

from e2e.exhaustive.life import Life
from e2e.exhaustive.run import STEPS, Play, Story
from e2e.scenarios.api import Api
from foretide.adapters.kubernetes import KubernetesApi
from foretide.app.watching import WATCHED

pytestmark = pytest.mark.timeout(240)

NAMES = [name for name in STEPS if name != "delete"]


@pytest.mark.parametrize(("then", "now"), list(combinations(NAMES, 2)))
async def test_no_child_becomes_what_it_was(
    api: Api, operator: KubernetesApi, namespace: str, undisturbed: Story, then: str, now: str
) -> None:
    run = Play.begin(api, operator, namespace)
    shown = {}
    for name in NAMES[: NAMES.index(now) + 1]:
        await run.step(STEPS[name])
        if name == then:
            shown = {resource: run.stage.list(resource) for resource in WATCHED}
    before = len(run.diary.child_changes())
    run.life = Life(operator, run.stage, run.diary, run.clock)
    run.life.sweep(shown)
    for _ in range(3):
        await run.life.live(())
    assert len(run.diary.child_changes()) == before, run.diary.writes[-5:]
    run.stage.told = []
    run.life.sweep()  # at last the list is of now
    await run.rest()
    assert run.stage.state() == undisturbed.states[now]
    assert len(run.diary.child_changes()) == before
