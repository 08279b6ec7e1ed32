"""Who is let in to Prometheus changes, and whom it says it is: told, never shown, and never done without."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from e2e.faults.stand.gate import Gate, gate
from e2e.faults.team import FOUR_PODS_RPS, ONE_POD_RPS, Team
from e2e.installed import OPERATOR_USER
from e2e.scenarios.conditions import condition, holds
from e2e.scenarios.service import Service
from foretide.adapters.resources import Resource
from tests.adapters.certificates import Pair

pytestmark = pytest.mark.slow_fault

EVENT = Resource("v1", "Event", "events")
USER = "foretide"
FIRST, SECOND, WRONG = "first-words-of-3141", "second-words-of-2718", "wrong-words-of-1618"


def put(file: Path, text: str) -> None:
    """As the kubelet does it: the file is another, at once."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.rename(file)


def basic(password: str) -> str:
    return base64.b64encode(f"{USER}:{password}".encode()).decode()


@contextmanager
def told_as(team: Team, service: Service, reason: str, *words: str) -> Iterator[None]:
    """Inside `with` the load falls, and nothing shrinks, for no answer of Prometheus says so."""
    # Before is not always four: the load that came back a round ago may have asked for five.
    with team.in_the_dark(service) as before:
        service.until(
            f"it says {reason}: {words}",
            lambda live: (
                holds(live, "MetricsAvailable", "False", reason)
                and all(word in condition(live, "MetricsAvailable")["message"] for word in words)
            ),
            within_seconds=30,
        )
        team.behave(service.name, rate_rps=ONE_POD_RPS)
        team.stays(f"{before} replicas", lambda: service.replicas() == before, seconds=8)
        yield
        team.behave(service.name, rate_rps=FOUR_PODS_RPS)
        team.stand.operator.until_ticks(4)  # a whole window is of that load


def until_well(team: Team, service: Service) -> None:
    team.until_told(service, "MetricsAvailable", "True", "MetricsComplete", within_seconds=60)


def shown(team: Team) -> str:
    """All that the operator said anywhere since the test began."""
    operator = team.stand.operator
    with operator.program.log.open("rb") as log:
        log.seek(team.said)
        said = log.read().decode(errors="replace")
    writes = [write.event for write in team.stand.audit.writes(since=team.since) if write.user == OPERATOR_USER]
    events = team.stand.api.select(EVENT)
    metrics = httpx.get(f"{operator.url}/metrics", timeout=5.0, trust_env=False).text
    assert said
    assert writes
    assert events
    return "\n".join([said, json.dumps(writes), json.dumps(events), metrics])


@pytest.mark.parametrize("way", ["token", "password"])
def test_F60_credentials_that_are_missing_wrong_and_rotated(
    steady: tuple[Team, Service], tmp_path: Path, way: str
) -> None:
    team, service = steady
    file = tmp_path / way
    put(file, FIRST)
    settings = {"FORETIDE_PROMETHEUS_BEARER_TOKEN_FILE": str(file)}
    if way == "password":
        settings = {"FORETIDE_PROMETHEUS_USERNAME": USER, "FORETIDE_PROMETHEUS_PASSWORD_FILE": str(file)}

    def header(secret: str) -> str:
        return f"Bearer {secret}" if way == "token" else f"Basic {basic(secret)}"

    with gate(team.stand.prometheus.url) as door:
        door.wants = header(FIRST)
        with team.stand.operator.with_settings(FORETIDE_PROMETHEUS_URL=f"http://{door.authority}", **settings):
            until_well(team, service)
            file.unlink()
            with told_as(team, service, "PrometheusUnauthorized", str(file), "No such file"):
                asked = door.requests
                team.stand.operator.until_ticks(2)
                assert door.requests == asked, "it asks without what lets it in"
            put(file, WRONG)
            with told_as(team, service, "PrometheusUnauthorized", "401"):
                pass
            put(file, FIRST)
            until_well(team, service)
            door.wants = header(SECOND)
            with told_as(team, service, "PrometheusUnauthorized", "401"):
                pass
            put(file, SECOND)
            until_well(team, service)
            found = shown(team)
    assert "***" in found, "the answers that repeat a secret are logged"
    for secret in (FIRST, SECOND, WRONG):
        assert secret not in found
        assert basic(secret) not in found
    team.settle(service)


def test_F61_certificates_that_nobody_should_trust(steady: tuple[Team, Service], tmp_path: Path) -> None:
    team, service = steady
    ours, others = (Pair.authority(tmp_path, name) for name in ("ours", "others"))
    good = Pair.made(tmp_path, "good", issuer=ours)
    of_others = Pair.made(tmp_path, "of-others", issuer=others)
    bad = {
        "expired": Pair.made(tmp_path, "expired", issuer=ours, days=(-3, -1)),
        "mismatch": Pair.made(tmp_path, "of-another-name", issuer=ours, address="127.0.0.9"),
        "unable to get local issuer": of_others,
    }
    authorities, token = tmp_path / "authorities.crt", tmp_path / "token"
    put(authorities, ours.certificate_file.read_text())
    put(token, FIRST)
    with gate(team.stand.prometheus.url) as door:
        door.wants, door.tls = f"Bearer {FIRST}", good.server()
        with team.stand.operator.with_settings(
            FORETIDE_PROMETHEUS_URL=f"https://{door.authority}",
            FORETIDE_PROMETHEUS_CA_FILE=str(authorities),
            FORETIDE_PROMETHEUS_BEARER_TOKEN_FILE=str(token),
        ):
            until_well(team, service)
            for words, pair in bad.items():
                door.tls = pair.server()
                with told_as(team, service, "PrometheusTLS", words):
                    nothing_is_said(team, door)
                door.tls = good.server()
                until_well(team, service)
            door.tls = of_others.server()
            with told_as(team, service, "PrometheusTLS"):
                nothing_is_said(team, door)
            put(authorities, others.certificate_file.read_text())
            until_well(team, service)
            found = shown(team)
    assert FIRST not in found
    assert "PRIVATE KEY" not in found
    team.settle(service)


def nothing_is_said(team: Team, door: Gate) -> None:
    """It tries, and sends no request to one whom it does not trust, by no other way either."""
    connections, requests = door.connections, door.requests
    team.stand.operator.until_ticks(3)
    assert door.connections > connections
    assert door.requests == requests
