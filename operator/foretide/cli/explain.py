"""`explain`: why a service has, or had, so many replicas; from the decisions that status keeps, and for what is older
from what Prometheus has recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from foretide.api.conditions import ConditionType
from foretide.api.reasons import Reason
from foretide.api.status import MAX_DECISIONS, DecisionEntry
from foretide.cli import bounds, explain_recorded, moments
from foretide.cli.cluster import Target, ask, sentence
from foretide.cli.exits import Exit, Stop
from foretide.cli.operator import operators, prometheus
from foretide.cli.output import Format, document, facts, show
from foretide.cli.status import services

if TYPE_CHECKING:
    from foretide.adapters.kubeconfig import Cluster
    from foretide.cli.recorded import Recorded
    from foretide.cli.service import Service

# Where one of these is not as it should be, the number does not follow the load whatever was decided.
OVERRIDES: Final = ((ConditionType.SCALING_ACTIVE, "False"), (ConditionType.SCALING_LIMITED, "True"))


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision, and how far it answers what was asked."""

    service: Service
    decision: DecisionEntry | None
    made: datetime | None
    at: datetime | None  # None: now
    note: str
    recorded: Recorded | None = None  # by Prometheus, where status does not go back so far

    @property
    def is_last(self) -> bool:
        return self.decision is self.service.last


def run(target: Target, name: str, *, at: str | None, prometheus_url: str | None, form: Format) -> Exit:
    """Prints why."""
    now = datetime.now(UTC)
    moment = None if at is None else moments.asked("--at", at, now=now)
    if moment is not None and moment > now:
        raise Stop(f"--at: {at} is in the future; what is foreseen now, `status {name}` tells")
    (service,) = services(target, name, everywhere=False)
    answer = answer_for(service, moment)
    if moment is not None and answer.decision is None:
        answer = _with_record(target, answer, moment, prometheus_url)
    if form is Format.TABLE:
        show(shown(answer, now))
    else:
        print(document(as_document(answer), form), end="")  # noqa: T201 - what the command is for
    return Exit.OK


def answer_for(service: Service, at: datetime | None) -> Answer:
    """The decision whose number was in force at that time, as far as status goes back."""
    kept = [(moments.parse(one.time), one) for one in service.status.decisions]
    made = [(time, one) for time, one in kept if time is not None]
    if not made:
        return Answer(
            service, None, None, at, "the operator has not changed the number of replicas of this service yet"
        )
    if at is None:
        return Answer(service, made[-1][1], made[-1][0], at, "")
    before = [(time, one) for time, one in made if time <= at]
    if before:
        return Answer(service, before[-1][1], before[-1][0], at, "")
    oldest, first = made[0]
    ending = (
        f"status keeps the last {MAX_DECISIONS}. Older ones are in the operator's log: kubectl -n foretide-system logs "
        f"deploy/foretide-operator | grep {service.name}"
        if len(made) == MAX_DECISIONS
        else "there was none before it"
    )
    note = f"the oldest decision in status is of {moments.written(oldest)}, from {first.from_} to {first.to}; {ending}"
    return Answer(service, None, None, at, note)


def _with_record(target: Target, answer: Answer, at: datetime, url: str | None) -> Answer:
    """With what Prometheus has of that time, or why it has nothing."""
    from foretide.adapters.errors import AdapterError
    from foretide.adapters.resources import INFERENCE_SERVICE
    from foretide.api import parse
    from foretide.api.inferenceservice import InferenceService
    from foretide.cli.recorded import recall

    service = answer.service

    async def question(cluster: Cluster) -> Recorded | str:
        try:
            raw = await cluster.api.get(INFERENCE_SERVICE, namespace=service.namespace, name=service.name)
            asked = None if raw is None else parse.inference_service(raw)
            if raw is None or not isinstance(asked, InferenceService):
                return f"{service.name} breaks rules, or is gone"
            created = moments.parse(str(raw["metadata"].get("creationTimestamp", ""))) or at
            installed = await operators(cluster) if url is None else []
            async with prometheus(cluster, url=url, operator=installed[0] if installed else None) as server:
                return await recall(server, asked, created=created, at=at)
        except Stop as stop:
            return str(stop)
        except AdapterError as error:
            return sentence(str(error), error.reason)

    found = ask(target, question)
    if isinstance(found, str):
        return replace(answer, note=f"{answer.note}. Nor does Prometheus tell: {found}")
    return replace(answer, recorded=found)


def shown(answer: Answer, now: datetime) -> RenderableType:
    """For a person."""
    decision, service = answer.decision, answer.service
    if answer.recorded is not None:
        return Group(
            Text.assemble(
                (f"{service.namespace}/{service.name}", "bold"), f" {explain_recorded.headline(answer.recorded)}"
            ),
            *explain_recorded.shown(answer.recorded),
            Text(answer.note, style="dim"),
        )
    head = Text.assemble((f"{service.namespace}/{service.name}", "bold"), f" {_headline(answer, now)}")
    if decision is None:
        return Group(head, Text(answer.note), *_overrides(answer))
    capacity = service.status.capacity
    rate = f"{decision.per_replica} items/s" if decision.per_replica else "not told with this decision"
    law = f", by {capacity.batch_time.fixed} + {capacity.batch_time.per_item} per item now" if capacity else ""
    promise = f"within {service.latency} for {service.objective} %"
    inputs = [
        ("load", f"{decision.demand} items/s asked" if decision.demand else "not known"),
        ("forecast", _forecast(decision)),
        ("a replica", f"{rate} {promise}{law}" if decision.per_replica else rate),
    ]
    candidates = [
        ("for the load", _candidate(decision.for_demand)),
        ("for the forecast", _candidate(decision.for_forecast)),
        ("bounds", f"{service.bounds} (of the spec as it is now)"),
        ("decided", f"{decision.to}, by {decision.bound}: {bounds.meaning(decision.bound)}"),
        ("HPA instead", f"{_candidate(decision.hpa)} at 70 % utilization, from the load alone"),
    ]
    reason = Reason(decision.reason).meaning if decision.reason in set(Reason) else ""
    return Group(
        head,
        Text("\nWhat was known", style="bold"),
        facts(inputs),
        Text("\nReplicas", style="bold"),
        facts(candidates),
        Text("\nIn one sentence", style="bold"),
        Text(decision.text),
        Text(f"{decision.reason}: {reason}" if reason else decision.reason),
        *_overrides(answer),
    )


def _headline(answer: Answer, now: datetime) -> str:
    decision, made, at = answer.decision, answer.made, answer.at
    if decision is None or made is None:
        return "has no decision to explain" if at is None else f"at {moments.written(at)}: not known from status"
    change = f"{decision.from_} -> {decision.to}, decided {moments.age(made, now)} ago ({moments.written(made)})"
    if at is None:
        desired = answer.service.status.desired_replicas
        moved = "" if desired in (None, decision.to) else f"; now {desired} are wanted, which is no decision of its own"
        return f"has {decision.to} replicas: {change}{moved}"
    still = "and still in force" if answer.is_last else "and replaced since"
    return f"at {moments.written(at)}: {change}, {still}"


def _overrides(answer: Answer) -> list[RenderableType]:
    """What keeps the number from following the load now."""
    if not (answer.at is None or answer.is_last):
        return []
    said = [
        (one.reason, one.message)
        for kind, bad in OVERRIDES
        for one in answer.service.status.conditions
        if (one.type, one.status) == (kind, bad)
    ]
    return [Text("\nNow", style="bold"), facts(said)] if said else []


def _forecast(decision: DecisionEntry) -> str:
    if decision.forecast is None:
        return "none was trusted then: the load alone decided"
    return (
        f"{decision.forecast} items/s, the {decision.quantile} quantile of the most within {decision.horizon}, "
        "the time that nine of ten cold starts keep"
    )


def _candidate(replicas: int | None) -> str:
    return "not known" if replicas is None else str(replicas)


def as_document(answer: Answer) -> dict[str, Any]:
    """For scripts."""
    decision = answer.decision
    return {
        "namespace": answer.service.namespace,
        "name": answer.service.name,
        "at": None if answer.at is None else moments.written(answer.at),
        "decision": None if decision is None else decision.model_dump(by_alias=True, exclude_none=True),
        "boundMeaning": None if decision is None else bounds.meaning(decision.bound),
        "inForce": decision is not None and answer.is_last,
        "note": answer.note or None,
        "recorded": None if answer.recorded is None else explain_recorded.as_document(answer.recorded),
    }
