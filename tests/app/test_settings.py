"""Settings: each problem is named with its variable, its value and the rule, before anything starts."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide import __main__ as program
from foretide.adapters.promql import expression
from foretide.app.settings import PREFIX, Settings, SettingsError, load
from foretide.scaling.brain import Brain
from foretide.scaling.settings import ScalingSettings


def test_nothing_set_means_the_defaults() -> None:
    assert load({}) == Settings()
    assert load({"PATH": "/bin", "KUBECONFIG": "x"}) == Settings()


def test_each_setting_is_read_from_its_variable() -> None:
    settings = load(
        {
            "FORETIDE_PROMETHEUS_URL": "https://thanos.example:443/tenant",
            "FORETIDE_PROMETHEUS_BEARER_TOKEN_FILE": "/etc/foretide/prometheus/token",
            "FORETIDE_PROMETHEUS_USERNAME": "",
            "FORETIDE_PROMETHEUS_PASSWORD_FILE": "",
            "FORETIDE_PROMETHEUS_CA_FILE": "/etc/foretide/prometheus/ca.crt",
            "FORETIDE_PROMETHEUS_CLIENT_CERTIFICATE_FILE": "/etc/foretide/prometheus/tls.crt",
            "FORETIDE_PROMETHEUS_CLIENT_KEY_FILE": "/etc/foretide/prometheus/tls.key",
            "FORETIDE_PROMETHEUS_TENANT_HEADER": "THANOS-TENANT",
            "FORETIDE_PROMETHEUS_TENANT": "team a",
            "FORETIDE_WATCH_NAMESPACES": "shop search",
            "FORETIDE_TICK_SECONDS": "5",
            "FORETIDE_SCRAPE_INTERVAL_SECONDS": "15",
            "FORETIDE_SCALE_DOWN_HOLD_SECONDS": "60.5",
            "FORETIDE_SWEEP_SECONDS": "120",
            "FORETIDE_DRAIN_SECONDS": "10",
            "FORETIDE_DOWNLOAD_IMAGE": "registry.example.com/rclone@sha256:00",
            "FORETIDE_DOWNLOAD_FLAGS": "--bwlimit=100M --transfers=8",
            "FORETIDE_DOWNLOAD_SIZE_LIMIT": "40Gi",
            "FORETIDE_WORKERS": "4",
            "FORETIDE_LISTEN_PORT": "9090",
            "FORETIDE_POD_NAMESPACE": "ops",
            "FORETIDE_POD_NAME": "operator-0",
            "FORETIDE_LOG_LEVEL": "DEBUG",
            "FORETIDE_LOG_FORMAT": "text",
        }
    )
    assert settings == Settings(
        prometheus_url="https://thanos.example:443/tenant",
        prometheus_bearer_token_file="/etc/foretide/prometheus/token",
        prometheus_ca_file="/etc/foretide/prometheus/ca.crt",
        prometheus_client_certificate_file="/etc/foretide/prometheus/tls.crt",
        prometheus_client_key_file="/etc/foretide/prometheus/tls.key",
        prometheus_tenant_header="THANOS-TENANT",
        prometheus_tenant="team a",
        watch_namespaces="shop search",
        tick_seconds=5,
        scrape_interval_seconds=15,
        scale_down_hold_seconds=60.5,
        sweep_seconds=120,
        drain_seconds=10,
        download_image="registry.example.com/rclone@sha256:00",
        download_flags="--bwlimit=100M --transfers=8",
        download_size_limit="40Gi",
        workers=4,
        listen_port=9090,
        pod_namespace="ops",
        pod_name="operator-0",
        log_level="DEBUG",
        log_format="text",
    )
    assert len(settings.model_fields_set) == len(Settings.model_fields)  # a new one belongs into this test


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("FORETIDE_TICK_SECONDS", "soon", "valid number"),
        ("FORETIDE_TICK_SECONDS", "0", "greater than"),
        ("FORETIDE_TICK_SECONDS", "-5", "greater than"),
        ("FORETIDE_TICK_SECONDS", "nan", "finite"),
        ("FORETIDE_TICK_SECONDS", "1e9", "less than or equal"),
        ("FORETIDE_TICK_SECONDS", "", "valid number"),
        ("FORETIDE_SCRAPE_INTERVAL_SECONDS", "0", "greater than or equal to 1"),
        ("FORETIDE_DRAIN_SECONDS", "2.5", "integer"),
        ("FORETIDE_DRAIN_SECONDS", "301", "less than or equal to 300"),
        ("FORETIDE_WORKERS", "0", "greater than or equal to 1"),
        ("FORETIDE_LISTEN_PORT", "65536", "less than or equal to 65535"),
        ("FORETIDE_POD_NAMESPACE", "", "at least 1 character"),
        ("FORETIDE_PROMETHEUS_URL", "prometheus:9090", "match pattern"),
        ("FORETIDE_PROMETHEUS_URL", "file:///etc/passwd", "match pattern"),
        ("FORETIDE_PROMETHEUS_URL", "http://", "match pattern"),
        ("FORETIDE_PROMETHEUS_URL", "http://prometheus?a=b", "match pattern"),
        ("FORETIDE_PROMETHEUS_BEARER_TOKEN_FILE", "token", "match pattern"),
        ("FORETIDE_PROMETHEUS_USERNAME", "me:too", "match pattern"),
        ("FORETIDE_PROMETHEUS_USERNAME", "me\r\nX: 1", "match pattern"),
        ("FORETIDE_PROMETHEUS_TENANT_HEADER", "X Scope", "match pattern"),
        ("FORETIDE_PROMETHEUS_TENANT_HEADER", "", "match pattern"),
        ("FORETIDE_PROMETHEUS_TENANT", " team", "match pattern"),
        ("FORETIDE_PROMETHEUS_TENANT", "a\nb", "match pattern"),
        ("FORETIDE_WATCH_NAMESPACES", "shop,search", "match pattern"),
        ("FORETIDE_WATCH_NAMESPACES", "team-*", "match pattern"),
        ("FORETIDE_WATCH_NAMESPACES", "x" * 64, "match pattern"),
        ("FORETIDE_DOWNLOAD_IMAGE", "rclone rclone", "match pattern"),
        ("FORETIDE_DOWNLOAD_FLAGS", "copy", "match pattern"),
        ("FORETIDE_DOWNLOAD_FLAGS", "-v", "match pattern"),
        ("FORETIDE_DOWNLOAD_FLAGS", "--transfers 8", "match pattern"),
        ("FORETIDE_DOWNLOAD_SIZE_LIMIT", "0", "match pattern"),
        ("FORETIDE_DOWNLOAD_SIZE_LIMIT", "1.5Gi", "match pattern"),
        ("FORETIDE_LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable_and_the_rule(name: str, value: str, rule: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load({name: value})
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"{name} = {value!r}: ")
    assert rule in line


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        load({"FORETIDE_WORKERS": "x", "FORETIDE_LISTEN_PORT": "0", "FORETIDE_TIK_SECONDS": "5"})
    told = str(raised.value)
    assert len(told.splitlines()) == 3
    for name in ("FORETIDE_WORKERS", "FORETIDE_LISTEN_PORT", "FORETIDE_TIK_SECONDS"):
        assert name in told


def test_namespaces_are_named_by_spaces_and_none_means_all() -> None:
    assert load({"FORETIDE_WATCH_NAMESPACES": ""}).namespaces == ()
    assert load({"FORETIDE_WATCH_NAMESPACES": "shop team-1 shop"}).namespaces == ("shop", "team-1")


def test_an_unknown_variable_is_refused_with_the_list() -> None:
    with pytest.raises(SettingsError) as raised:
        load({"FORETIDE_TIK_SECONDS": "5"})
    assert str(raised.value).startswith("FORETIDE_TIK_SECONDS: no such setting; known are ")
    for name in Settings.model_fields:
        assert PREFIX + name.upper() in str(raised.value)


def test_a_hold_shorter_than_a_tick_holds_nothing() -> None:
    with pytest.raises(SettingsError, match="a hold shorter than a tick holds nothing"):
        load({"FORETIDE_TICK_SECONDS": "30", "FORETIDE_SCALE_DOWN_HOLD_SECONDS": "20"})


TOKEN_FILE = {"FORETIDE_PROMETHEUS_BEARER_TOKEN_FILE": "/token"}
CA_FILE = {"FORETIDE_PROMETHEUS_CA_FILE": "/ca.crt"}
CERTIFICATE_FILE = {"FORETIDE_PROMETHEUS_CLIENT_CERTIFICATE_FILE": "/tls.crt"}
KEY_FILE = {"FORETIDE_PROMETHEUS_CLIENT_KEY_FILE": "/tls.key"}
USER = {"FORETIDE_PROMETHEUS_USERNAME": "me"}
PASSWORD_FILE = {"FORETIDE_PROMETHEUS_PASSWORD_FILE": "/password"}
HTTPS = {"FORETIDE_PROMETHEUS_URL": "https://thanos.example"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (TOKEN_FILE | USER | PASSWORD_FILE, "a request has one Authorization header; set one of them"),
        (TOKEN_FILE | USER, "a request has one Authorization header; set one of them"),
        (TOKEN_FILE | PASSWORD_FILE, "a request has one Authorization header; set one of them"),
        (USER, "must be set together"),
        (PASSWORD_FILE, "must be set together"),
        (HTTPS | KEY_FILE, "a key without its certificate proves nothing"),
        (CA_FILE, "prometheus_ca_file must not be set with an http:// URL"),
        (CERTIFICATE_FILE | CA_FILE, "prometheus_ca_file and prometheus_client_certificate_file must not be set with"),
        ({"FORETIDE_PROMETHEUS_TENANT_HEADER": "authorization"}, "that one has another meaning"),
    ],
    ids=str,
)
def test_what_contradicts_itself_is_refused_with_a_sentence(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load(given)


@pytest.mark.parametrize(
    "given",
    [
        TOKEN_FILE,
        USER | PASSWORD_FILE,
        HTTPS,
        HTTPS | CA_FILE,
        HTTPS | CERTIFICATE_FILE,
        HTTPS | CERTIFICATE_FILE | KEY_FILE | TOKEN_FILE | CA_FILE,
    ],
    ids=str,
)
def test_what_belongs_together_is_taken(given: dict[str, str]) -> None:
    settings = load(given)
    for name, value in given.items():
        assert getattr(settings, name.removeprefix(PREFIX).lower()) == value


def test_all_contradictions_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        load(USER | KEY_FILE | CA_FILE)
    for sentence in ("must be set together", "proves nothing", "http:// URL"):
        assert sentence in str(raised.value)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="match pattern") as raised:
        load({"FORETIDE_PROMETHEUS_URL": "https://me:se@cret@thanos.example"})
    assert "FORETIDE_PROMETHEUS_URL = 'https://***@thanos.example': " in str(raised.value)
    assert "cret" not in str(raised.value)


numbers = st.floats(0, 1e6).map(str) | st.integers(-5, 100_000).map(str) | st.sampled_from(["inf", "nan", "1e-9"])


@given(numbers, numbers, numbers)
def test_what_is_accepted_can_be_used(tick: str, hold: str, scrape: str) -> None:
    """No setting passes the check at start and fails later."""
    names = ("TICK_SECONDS", "SCALE_DOWN_HOLD_SECONDS", "SCRAPE_INTERVAL_SECONDS")
    given = zip(names, (tick, hold, scrape), strict=True)
    try:
        settings = load({PREFIX + name: value for name, value in given})
    except SettingsError:
        return
    scaling = ScalingSettings(
        tick_seconds=settings.tick_seconds,
        scale_down_hold_seconds=settings.scale_down_hold_seconds,
        scrape_interval_seconds=settings.scrape_interval_seconds,
    )
    for query in Brain(scaling).queries:
        assert "[0s]" not in expression(query)


def test_the_program_ends_with_2_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["foretide"])
    monkeypatch.setenv("FORETIDE_WORKERS", "many")
    assert program.main() == 2
    assert capsys.readouterr().err.startswith("FORETIDE_WORKERS = 'many': ")


def test_help_lists_every_setting(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["foretide", "--help"])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for name, field in Settings.model_fields.items():
        assert f"{PREFIX}{name.upper()} (default {field.default!r})" in told
