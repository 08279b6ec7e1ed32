"""The life of one service from its creation to its deletion, under one interruption or one lie."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from e2e.exhaustive.life import Death, Diary, Life, Time
from e2e.exhaustive.stage import Event, Stage
from e2e.scenarios.api import Api
from foretide.adapters.kubernetes import KubernetesApi
from foretide.adapters.resources import HARDWARE_CLASS

CLASSES: Final = ("cpu-small", "cpu-large")
PASSES: Final = 25

# From the events and the number of those before them, what is told now and what is told late.
Watch = Callable[[Sequence[Event], int], tuple[list[Event], list[Event]]]


def tell_all(events: Sequence[Event], before: int) -> tuple[list[Event], list[Event]]:
    """A watch as it should be."""
    del before
    return list(events), []


def hardware_class(name: str) -> dict[str, Any]:
    """A class that any model here can run on."""
    resources = {"requests": {"cpu": "0.5", "memory": "256Mi"}, "limits": {"memory": "1024Mi"}}
    return {
        "metadata": {"name": name},
        "spec": {"family": "CPU", "resources": resources, "triton": {"image": "example.com/tritonserver:26.07"}},
    }


SPEC: Final[Mapping[str, Any]] = {
    "model": {
        "backend": "onnxruntime",
        "source": {"uri": "s3://models/ranker"},
        "inputs": [{"name": "X", "dataType": "FP32", "shape": [128]}],
        "outputs": [{"name": "Y", "dataType": "FP32", "shape": [1]}],
        "maxBatchSize": 8,
    },
    "hardware": {"classes": [CLASSES[0]]},
    "slo": {"objective": "99", "latency": "100ms"},
    "scaling": {"minReplicas": 2, "maxReplicas": 4},
}

# What happens to the service; the operator comes to rest after each.
STEPS: Final[Mapping[str, Callable[[Stage], None]]] = {
    "create": lambda stage: stage.create(SPEC),
    "update": lambda stage: stage.change(model={"version": "2", "maxBatchSize": 16}),
    "scale": lambda stage: stage.change(scaling={"replicas": 3}),
    "move": lambda stage: stage.change(hardware={"classes": [CLASSES[1]]}),
    "delete": lambda stage: stage.delete(),
}


@dataclass(frozen=True, slots=True)
class Story:
    """What was there after each step, what was written, and how many events the watch told."""

    states: Mapping[str, Mapping[str, Any]]
    diary: Diary
    events: int


@dataclass(slots=True)
class Play:
    """One run: a namespace, and an operator in its present life."""

    api: Api
    operator: KubernetesApi
    stage: Stage
    watch: Watch
    diary: Diary
    clock: Time
    life: Life
    told: int = 0
    held: list[Event] = field(default_factory=list)
    looks: Callable[[Stage], None] = lambda stage: None  # at every moment at which something may have changed

    @classmethod
    def begin(
        cls, api: Api, operator: KubernetesApi, namespace: str, *, death: Death | None = None, watch: Watch = tell_all
    ) -> Play:
        """With an operator that has seen an empty namespace."""
        for name in CLASSES:
            api.apply(HARDWARE_CLASS, hardware_class(name))
        stage, diary, clock = Stage.build(api, namespace), Diary(), Time(time.time())
        life = Life(operator, stage, diary, clock, death)
        life.sweep()
        return cls(api, operator, stage, watch, diary, clock, life)

    async def step(self, step: Callable[[Stage], None]) -> None:
        """Something happens to the service, and the operator comes to rest; what a watch withheld the sweep tells."""
        step(self.stage)
        self.looks(self.stage)
        await self.rest()
        self.life.sweep()
        await self.rest()

    async def rest(self) -> None:
        """Passes until nothing is told, tried again, written or worked at."""
        for _ in range(PASSES):
            before = len(self.diary.writes)
            await self.life.live(self._events())
            if self.life.is_dead:
                self.be_reborn()
                continue
            self.looks(self.stage)
            worked = self.stage.settle()
            self.looks(self.stage)
            is_waited_for = self.stage.told or self.held or worked or not self.life.is_done
            if len(self.diary.writes) == before and not is_waited_for:
                return
        raise AssertionError(f"no rest after {PASSES} passes; written last: {self.diary.writes[-8:]}")

    def be_reborn(self) -> None:
        """Another process, which begins with what it finds."""
        self.life = Life(self.operator, self.stage, self.diary, self.clock)
        self.stage.told, self.held = [], []
        self.life.sweep()

    def _events(self) -> list[Event]:
        """What the watch tells now: late events once there are no others."""
        fresh, self.stage.told = self.stage.told, []
        if not fresh:
            fresh, self.held = self.held, []
            return fresh
        now, late = self.watch(fresh, self.told)
        self.told += len(fresh)
        self.held += late
        return now


async def play(
    api: Api, operator: KubernetesApi, namespace: str, *, death: Death | None = None, watch: Watch = tell_all
) -> Story:
    """All steps in a namespace of their own."""
    run, states = Play.begin(api, operator, namespace, death=death, watch=watch), {}
    for name, step in STEPS.items():
        await run.step(step)
        states[name] = run.stage.state()
    return Story(states, run.diary, run.told)
