"""Replicas that do not start: growth stops a step beyond those that do, nothing shrinks, and it ends by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from foretide.api.reasons import Reason
from foretide.scaling.decision import Bound, Bounds, Decisions, Hindrance, Stuck
from foretide.scaling.ledger import explain, reason
from foretide.scaling.stuck import BOUNDS, restrain
from foretide.scaling.tuning import Tuning
from tests.scaling.build import NOW, bools, bounds, foreseen, held_since_long, ints, judge
from tests.scaling.strategies import random_world, seeds, seldom

WIDE = bounds(1, 100)


def stuck(cause: Hindrance, *, count: int, going: int) -> Stuck:
    return Stuck(cause=ints(cause), count=ints(count), going=ints(going))


def restrained(
    demand: float | None,
    *,
    replicas: int,
    going: int,
    count: int = 1,
    cause: Hindrance = Hindrance.UNSCHEDULABLE,
    limits: Bounds = WIDE,
) -> Decisions:
    """Of 10 items/s a replica."""
    return restrain(judge(demand, replicas=replicas, limits=limits), stuck(cause, count=count, going=going))


@pytest.mark.parametrize(
    ("demand", "replicas", "going", "expected"),
    [
        (95.0, 4, 4, (5, Bound.UNSCHEDULABLE)),  # one step: a fifth, and at least one
        (195.0, 10, 10, (12, Bound.UNSCHEDULABLE)),
        (95.0, 5, 4, (5, Bound.UNSCHEDULABLE)),  # the one that waits is the step
        (195.0, 10, 3, (10, Bound.UNSCHEDULABLE)),  # what was asked for stays asked for
        (95.0, 10, 3, (10, Bound.REACTIVE)),
        (5.0, 10, 3, (8, Bound.STEP_LIMIT)),  # a load that falls is followed (k8s#76187)
        (None, 4, 3, (4, Bound.UNKNOWN)),
        (45.0, 4, 4, (5, Bound.REACTIVE)),  # no more than the step is wanted
    ],
)
def test_growth_goes_one_step_beyond_what_runs(
    demand: float | None, replicas: int, going: int, expected: tuple[int, Bound]
) -> None:
    made = restrained(demand, replicas=replicas, going=going)
    assert (int(made.desired[0]), Bound(made.bound[0])) == expected


def test_orders_of_users_hold() -> None:
    assert restrained(95.0, replicas=2, going=1, limits=bounds(7, 100)).desired.tolist() == [7]
    assert restrained(95.0, replicas=2, going=1, limits=bounds(pinned=9)).desired.tolist() == [9]
    assert restrained(95.0, replicas=2, going=1, limits=bounds(paused=True)).desired.tolist() == [2]
    assert restrained(95.0, replicas=5, going=1, limits=bounds(1, 3)).desired.tolist() == [3]


def test_growth_in_the_dark_is_bound_too() -> None:
    grows = replace(Tuning.usual(1), grows_blind=bools(True))
    memory = held_since_long(3, now_seconds=NOW - 3_600.0)
    made = judge(None, replicas=3, tuning=grows, plan=foreseen(highest=85.0), memory=memory, limits=WIDE)
    made = restrain(made, stuck(Hindrance.CRASHING, count=1, going=3))
    assert made.desired.tolist() == [4]
    assert explain(made, 0).endswith(
        "but 1 of 3 crash again and again and never served, so no more than 4 are asked for until they start"
    )


@pytest.mark.parametrize(
    ("cause", "words", "word"),
    [
        (Hindrance.UNSCHEDULABLE, "no node has room for 1 of 4", Reason.UNSCHEDULABLE),
        (Hindrance.CRASHING, "1 of 4 crash again and again and never served", Reason.REPLICAS_CRASHING),
        (Hindrance.REFUSED, "the pods of 1 of 4 are refused", Reason.PODS_REFUSED),
        (Hindrance.UNCREATED, "the containers of 1 of 4 cannot be created", Reason.CONTAINERS_NOT_CREATED),
    ],
)
def test_each_cause_has_its_sentence_and_its_word(cause: Hindrance, words: str, word: Reason) -> None:
    made = restrained(95.0, replicas=4, going=4, cause=cause)
    assert f"so 10, but {words}, so no more than 5 are asked for until they start" in explain(made, 0)
    assert made.bound[0] == BOUNDS[cause]
    assert reason(made, 0) == word
    kept = restrained(95.0, replicas=5, going=4, cause=cause)
    assert explain(kept, 0).startswith("stays at 5: ")
    assert reason(kept, 0) == word


def test_without_a_look_nothing_changes() -> None:
    made = judge(95.0, replicas=4, limits=WIDE)
    assert restrain(made, None) is made
    assert restrain(made, stuck(Hindrance.NONE, count=0, going=0)).desired.tolist() == [10]


def test_growth_resumes_by_itself_and_stops_within_a_step_where_nothing_starts() -> None:
    replicas, sizes = 4, []
    for _ in range(20):  # no node ever has room for more than 4
        replicas = int(restrained(195.0, replicas=replicas, going=4, count=max(replicas - 4, 1)).desired[0])
        sizes.append(replicas)
    assert set(sizes) == {5}
    for _ in range(20):  # and now each one starts
        replicas = int(restrained(195.0, replicas=replicas, going=replicas).desired[0])
        sizes.append(replicas)
    assert sizes == sorted(sizes)
    assert sizes[-1] == 20


@seldom
@given(seeds)
def test_stuck_replicas_never_shrink_what_is_there_nor_add_anything(seed: int) -> None:
    world = random_world(seed)
    random = np.random.default_rng(seed)
    made = world.decide()
    looked = Stuck(
        cause=random.integers(0, len(Hindrance), len(world)),
        count=random.integers(0, 20, len(world)),
        going=random.integers(0, 20, len(world)),
    )
    bound = restrain(made, looked)
    assert (bound.desired <= made.desired).all(), "no more than the same observation asks for without them"
    assert (bound.desired >= np.minimum(made.desired, world.fleet.replicas)).all(), "nothing that is there is taken"
    free = ~world.bounds.paused & ~world.bounds.is_pinned
    assert (bound.desired[free] >= world.bounds.minimum[free]).all()
    assert (bound.desired[free] <= world.bounds.maximum[free]).all()
    same = looked.cause == Hindrance.NONE
    assert (bound.desired[same] == made.desired[same]).all()
    again = restrain(replace(bound, desired=made.desired), looked)
    assert (again.desired == bound.desired).all()
    for row in range(len(world)):
        assert len(explain(bound, row)) <= 512
