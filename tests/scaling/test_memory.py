from dataclasses import fields

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.memory import Memory
from tests.scaling.build import ints
from tests.scaling.strategies import plausible, random_memory, seeds, seldom


def same(one: Memory, other: Memory) -> bool:
    return (one.items_per_request == other.items_per_request).all() and all(
        (getattr(getattr(one, table), field.name) == getattr(getattr(other, table), field.name)).all()
        for table in ("window", "evidence")
        for field in fields(getattr(one, table))
    )


def memory(seed: int, services: int = 6) -> Memory:
    return random_memory(np.random.default_rng(seed), services, plausible)


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
        assert same(taken.take(ints(place)), whole.take(ints(row)))
    assert same(taken.take(ints(6)), Memory.fresh(1))


def test_no_memories_are_an_empty_memory() -> None:
    assert len(Memory.concatenate([])) == 0
    assert len(Memory.fresh(0).take(ints(-1, -1))) == 2
