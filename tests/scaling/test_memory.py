from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.memory import Memory
from tests.scaling.build import ints, same
from tests.scaling.strategies import plausible, random_memory, random_sight, seeds, seldom


def memory(seed: int, services: int = 6) -> Memory:
    random = np.random.default_rng(seed)
    return replace(random_memory(random, services, plausible), sight=random_sight(random, services))


@seldom
@given(seeds)
def test_rows_taken_apart_and_put_together_are_the_same(seed: int) -> None:
    whole = memory(seed)
    rows = [whole.take(ints(row)) for row in range(len(whole))]
    assert same(Memory.concatenate(rows), whole)


@seldom
@given(seeds, st.permutations(range(6)))
def test_taking_reorders_and_gives_new_services_a_fresh_memory(seed: int, order: list[int]) -> None:
    whole = memory(seed)
    taken = whole.take(ints(*order, -1))
    for place, row in enumerate(order):
        # The same days of minutes for all: whoever is new had a past of nothing.
        assert same(taken.take(ints(place)), whole.take(ints(row)))
    new = taken.take(ints(6))
    assert same(replace(new, sight=Memory.fresh(1).sight), Memory.fresh(1))
    assert not np.isfinite(new.sight.history.recent).any()
    assert not np.isfinite(new.sight.history.between(new.sight.history.minute - 3000, new.sight.history.minute)).any()
    assert same(new.sight.calibration.offset, Memory.fresh(1).sight.calibration.offset)


def test_no_memories_are_an_empty_memory() -> None:
    assert len(Memory.concatenate([])) == 0
    assert len(Memory.fresh(0).take(ints(-1, -1))) == 2


@seldom
@given(seeds, st.integers(0, 6), st.lists(st.integers(0, 5), max_size=8))
def test_some_rows_of_memories_are_those_of_all_put_together(seed: int, old: int, wanted: list[int]) -> None:
    whole = memory(seed)
    parts = [whole.take(ints(*range(old))), whole.take(ints(*range(old, 6)))]
    assert same(Memory.concatenate(parts, ints(*wanted)), Memory.concatenate(parts).take(ints(*wanted)))


@seldom
@given(seeds, st.integers(0, 6), st.integers(0, 40_000))
def test_memories_of_different_moments_are_put_together_at_the_newest(seed: int, old: int, behind: int) -> None:
    """A clock that jumped between two of them loses the older one's recent minutes, and nothing of the days."""
    whole = memory(seed)
    first, second = whole.take(ints(*range(old))), whole.take(ints(*range(old, 6)))
    history = first.sight.history
    late = replace(history, slot=history.slot - behind, day=(history.slot - behind) // (4 * 1440))
    first = replace(first, sight=replace(first.sight, history=late))
    together = Memory.concatenate([first, second])
    assert len(together) == 6
    assert together.sight.history.slot == second.sight.history.slot
    minute = late.minute - 3
    assert same(together.sight.history.between(minute - 60, minute)[:old], late.between(minute - 60, minute))
