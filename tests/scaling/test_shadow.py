"""A policy in the shadow changes nothing, is fair to itself, and its score tells the generous from the mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling import rows
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.budget import LONGEST_SECONDS
from foretide.scaling.decision import Bound, Decisions
from foretide.scaling.memory import Memory
from foretide.scaling.policy import Observation
from foretide.scaling.shadow import SLOTS, Shadow, Side, Starts, Tally, judge
from foretide.scaling.tuning import Tuning
from tests.scaling.build import NOW, SETTINGS, floats, ints, same
from tests.scaling.forecast.loads import HOUR, MIDNIGHT, SHAPES, Load
from tests.scaling.strategies import rarely
from tests.scaling.test_brain_in_time import BRAIN, Services

LEAD: Final = 160.0
SEED: Final = st.integers(0, 2**32 - 1)


def ramp(times: Floats) -> Floats:
    """From 30 to 300 items/s within half an hour, and back."""
    return 30.0 + 270.0 * np.abs((2.0 * (times - MIDNIGHT) / HOUR + 1.0) % 2.0 - 1.0)


class Contest:
    """Services of which some have a challenger."""

    def __init__(self, *loads: Load, tuning: Tuning, challenged: Ints | None = None, days: float = 0.0) -> None:
        self.services = Services(*loads, replicas=2, days=days)
        self.tuning = tuning
        self.challenged = np.arange(len(loads)) if challenged is None else challenged
        self.shadow: Shadow | None = None

    def tick(self, *, seen: Observation | None = None) -> tuple[Observation, Memory, Decisions]:
        self.services.now += SETTINGS.tick_seconds
        seen, memory = seen or self.services.observed(), self.services.memory
        made = BRAIN.decide(seen, memory)
        if self.shadow is None:
            replicas = seen.fleet.replicas[self.challenged]
            tally = Tally.begun(len(replicas), now_seconds=seen.now_seconds)
            self.shadow = Shadow.begun(memory.take(self.challenged), replicas, really=replicas, tally=tally)
        self.shadow = judge(BRAIN, seen, memory, made, self.shadow, challenged=self.challenged, tuning=self.tuning)
        self.services.memory, self.services.replicas = made.memory, made.desired
        return seen, memory, made

    def live(self, ticks: int) -> Tally:
        for _ in range(ticks):
            self.tick()
        assert self.shadow is not None
        return self.shadow.tally


def quantile(level: float, services: int = 1) -> Tuning:
    return replace(Tuning.usual(services), quantile=np.full(services, level))


def drawn(seed: int, services: int) -> Tuning:
    """Any policies."""
    random = np.random.default_rng(seed)
    return Tuning(
        forecasts=random.random(services) < 0.7,
        quantile=random.choice([np.nan, 0.5, 0.9, 0.99], services),
        season_seconds=random.choice([np.nan, 600.0, 86_400.0], services),
        hold_seconds=random.choice([np.nan, 60.0, 3_600.0], services),
        step_up=random.choice([np.inf, 0.01, 1.0], services),
        step_down=random.choice([0.01, 0.2, 1.0], services),
        blind_seconds=np.full(services, 60.0),
        grows_blind=random.random(services) < 0.5,
        advisory=random.random(services) < 0.5,
    )


def test_a_challenger_that_is_the_champion_asks_for_the_same_and_has_the_same_score() -> None:
    contest = Contest(ramp, *SHAPES.values(), tuning=Tuning.usual(1 + len(SHAPES)), days=0.2)
    for _ in range(80):
        _, _, made = contest.tick()
        assert contest.shadow is not None
        assert contest.shadow.replicas.tolist() == made.desired.tolist()
    tally = contest.live(1)
    assert np.allclose(tally.late[:, Side.CHALLENGER], tally.late[:, Side.CHAMPION])
    assert np.allclose(tally.replica_seconds[:, Side.CHALLENGER], tally.replica_seconds[:, Side.CHAMPION])
    assert (tally.asked > 0.0).any()


def test_a_more_generous_challenger_has_less_late_and_more_replicas_and_a_meaner_one_the_opposite() -> None:
    tuning = replace(
        Tuning.usual(2),
        quantile=floats(0.999, 0.5),
        step_up=floats(np.inf, 0.01),
        hold_seconds=floats(1_800.0, 30.0),
    )
    tally = Contest(ramp, ramp, tuning=tuning).live(240)
    late, ran = tally.late[:, Side.CHALLENGER], tally.replica_seconds[:, Side.CHALLENGER]
    champion_late, champion_ran = tally.late[0, Side.CHAMPION], tally.replica_seconds[0, Side.CHAMPION]
    assert late[0] < champion_late < late[1]
    assert ran[0] > 1.05 * champion_ran
    assert ran[1] < 0.95 * champion_ran
    assert tally.judged_seconds.tolist() == [239 * SETTINGS.tick_seconds] * 2
    assert tally.asked == pytest.approx(165.0 * tally.judged_seconds, rel=0.01)


@rarely
@given(SEED)
def test_a_challenger_changes_nothing_of_the_decision_or_the_memory(seed: int) -> None:
    tuning = drawn(seed, 2)
    contest = Contest(*SHAPES.values(), tuning=tuning, challenged=ints(3, 1), days=0.1)
    alone = Services(*SHAPES.values(), replicas=2, days=0.1)
    for _ in range(8):
        seen, memory, made = contest.tick()
        assert same(alone.tick(), made)
        assert same(BRAIN.decide(seen, memory), made), "nor of what it was decided from"
    assert same(alone.memory, contest.services.memory)


def test_no_challenger_looks_at_another_and_each_keeps_the_bounds() -> None:
    loads, tuning = [*SHAPES.values()], drawn(7, len(SHAPES))
    together, alone = (
        Contest(*loads, tuning=tuning, days=0.1),
        Contest(*loads[:2], tuning=rows.take(tuning, ints(0, 1)), days=0.1),
    )
    together.live(8)
    alone.live(8)
    assert together.shadow is not None
    assert alone.shadow is not None
    assert same(alone.shadow.tally, rows.take(together.shadow.tally, ints(0, 1)))
    assert same(alone.shadow.replicas, together.shadow.replicas[:2])
    assert ((together.shadow.replicas >= 1) & (together.shadow.replicas <= 50)).all()


def test_what_is_not_known_or_not_the_policys_is_not_scored() -> None:
    contest = Contest(ramp, ramp, ramp, tuning=quantile(0.999, 3))
    contest.live(4)
    assert contest.shadow is not None
    before = contest.shadow.tally
    seen = contest.services.observed()
    bounds = replace(
        seen.bounds,
        paused=np.array([True, False, False]),
        is_pinned=np.array([False, True, False]),
        pinned=ints(1, 7, 1),
    )
    blind = {
        query: replace(answer, known=answer.known & (seen.pods.service != 2)) for query, answer in seen.answers.items()
    }
    seen = replace(seen, now_seconds=seen.now_seconds + SETTINGS.tick_seconds, bounds=bounds, answers=blind)
    contest.tick(seen=seen)
    assert same(contest.shadow.tally, before)
    assert contest.shadow.replicas[:2].tolist() == [seen.fleet.replicas[0], 7], "as ordered"
    assert contest.shadow.replicas[2] >= seen.fleet.replicas[2], "unknown never shrinks"


def test_a_challenger_gets_no_more_of_a_quota_than_the_champion() -> None:
    contest = Contest(ramp, ramp, tuning=quantile(0.999, 2))
    contest.live(60)
    seen = contest.services.observed()
    made = BRAIN.decide(seen, contest.services.memory)
    cut = replace(made, desired=ints(2, int(made.desired[1])), bound=ints(int(Bound.QUOTA), int(made.bound[1])))
    assert contest.shadow is not None
    both = ints(0, 1)
    found = judge(BRAIN, seen, contest.services.memory, cut, contest.shadow, challenged=both, tuning=quantile(0.999, 2))
    assert found.replicas[0] == 2 < found.replicas[1]


def after(starts: Starts, challenger: int, champion: int, now: float, lead: float = LEAD) -> Starts:
    return starts.after(
        ints(challenger), ints(champion), anew=np.array([False]), now_seconds=now, lead_seconds=floats(lead)
    )


def test_replicas_are_ready_a_lead_time_after_they_were_asked_for_and_gone_at_once() -> None:
    starts, waited = Starts.begun(ints(3), ints(3)), []
    for tick in range(16):
        starts = after(starts, 3 if tick == 0 else 8, 3, NOW + 15.0 * tick)
        waited.append(int(starts.ready(ints(8), ints(3))[0]))
    first = waited.index(8) * 15.0
    assert set(waited) == {3, 8}
    assert LEAD <= first <= LEAD * (1 + 1 / (SLOTS - 1)) + 15.0
    starts = after(starts, 2, 3, NOW + 240.0)
    assert starts.ready(ints(2), ints(3)).tolist() == [2]


def test_replicas_that_were_asked_for_no_later_than_the_real_ones_are_ready_with_them() -> None:
    starts = Starts.begun(ints(3), ints(3))
    for tick in range(3):
        starts = after(starts, 8, 6, NOW + 15.0 * tick)
    assert starts.ready(ints(8), ints(5)).tolist() == [5]
    late = Starts.begun(ints(3), ints(3))
    for tick in range(3):
        late = after(late, 3 if tick < 2 else 8, 6, NOW + 15.0 * tick)
    assert late.ready(ints(8), ints(6)).tolist() == [3], "six were asked for while the challenger had three"


def test_what_crashed_is_missing_in_the_shadow_too() -> None:
    starts = Starts.begun(ints(8), ints(6))
    for tick in range(20):
        starts = after(starts, 8, 6, NOW + 15.0 * tick)
    assert starts.ready(ints(8), ints(6)).tolist() == [8]
    assert starts.ready(ints(8), ints(4)).tolist() == [6]
    assert starts.ready(ints(8), ints(0)).tolist() == [2]


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.floats(-1e5, 1e5), st.floats(0, 4e3)), max_size=9))
def test_a_shadow_never_has_more_ready_than_it_asked_for_whatever_the_clock_says(
    steps: list[tuple[int, int, float, float]],
) -> None:
    starts, now = Starts.begun(ints(5), ints(5)), NOW
    for challenger, champion, jump, lead in steps:
        now += jump
        starts = after(starts, challenger, champion, now, lead)
        ready = starts.ready(ints(challenger), ints(champion))[0]
        assert 0 <= ready <= challenger


def test_a_gap_between_two_looks_is_not_made_up() -> None:
    tally = Tally.begun(1, now_seconds=NOW).after(
        floats(10.0),
        np.array([[1.0, 20.0]]),
        np.array([[2.0, 3.0]]),
        known=np.array([True]),
        elapsed_seconds=floats(HOUR),
    )
    assert tally.judged_seconds.tolist() == [LONGEST_SECONDS]
    assert tally.late.tolist() == [[60.0, 600.0]], "no more than was asked"
    assert tally.replica_seconds.tolist() == [[120.0, 180.0]]
