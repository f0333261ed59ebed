"""What settings promise: safe defaults, exact errors, no secret in a message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from triage.access import Role
from triage.errors import Refused
from triage.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the developer's own environment and triage.toml out of the tests."""
    for name in list(os.environ):
        if name.startswith("TRIAGE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_are_safe() -> None:
    """Without settings everything is embedded and on loopback."""
    settings = load_settings()
    assert settings.host == settings.metrics_host == "127.0.0.1"
    assert settings.log_url == settings.queue_url
    assert settings.log_url.startswith("sqlite:///")
    assert not settings.allow_volatile


def test_options_come_before_environment_before_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An option wins over the environment, which wins over triage.toml."""
    (tmp_path / "triage.toml").write_text('port = 1\nhost = "127.0.0.2"\nprofile = "leiden"\n')
    monkeypatch.setenv("TRIAGE_PORT", "2")
    monkeypatch.setenv("TRIAGE_HOST", "127.0.0.3")
    settings = load_settings(port=3, host=None)
    assert (settings.port, settings.host, settings.profiles) == (3, "127.0.0.3", ("leiden",))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"port": 70_000}, "TRIAGE_PORT"),
        (
            {"log": "http://example.org"},
            "TRIAGE_LOG: Value error, begint met sqlite:// of kafka://",
        ),
        ({"queue": "kafka://a"}, "TRIAGE_QUEUE"),
        ({"log": "kafka://a:1", "queue": "sqlite:///b"}, "log en queue staan samen"),
        ({"prot": 1}, "TRIAGE_PROT"),
    ],
)
def test_wrong_settings_are_named(options: dict[str, object], named: str) -> None:
    """A wrong value is refused with the name of its setting."""
    with pytest.raises(Refused, match=named):
        load_settings(**options)


def test_no_secret_in_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password never shows: not in an error, not in the settings' own text."""
    monkeypatch.setenv("TRIAGE_KAFKA_PASSWORD", "geheim-1")
    monkeypatch.setenv("TRIAGE_QUEUE", "http://user:geheim-2@host")
    with pytest.raises(Refused) as caught:
        load_settings(kafka_partitions=0)
    assert "geheim" not in str(caught.value)
    monkeypatch.delenv("TRIAGE_QUEUE")
    assert "geheim" not in repr(load_settings())


def test_maps_of_the_provider_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups become roles and teams; what is no JSON or no role is named, without its value."""
    monkeypatch.setenv("TRIAGE_OIDC_ROLE_MAP", '{"GG-KCC": "medewerker"}')
    monkeypatch.setenv("TRIAGE_OIDC_TEAM_MAP", "")
    settings = load_settings()
    assert settings.oidc_role_map == {"GG-KCC": Role.MEDEWERKER}
    assert settings.oidc_team_map == {}
    for wrong in ('{"GG-KCC": "geheim-3"}', "geheim-3", '["geheim-3"]'):
        monkeypatch.setenv("TRIAGE_OIDC_ROLE_MAP", wrong)
        with pytest.raises(Refused, match="TRIAGE_OIDC_ROLE_MAP") as caught:
            load_settings()
        assert "geheim-3" not in str(caught.value)


def test_password_file_wins(tmp_path: Path) -> None:
    """A password in a file is read, and a missing file is named."""
    (tmp_path / "password").write_text("geheim\n")
    assert Settings(kafka_password_file=tmp_path / "password").password == "geheim"
    with pytest.raises(Refused, match="TRIAGE_KAFKA_PASSWORD_FILE"):
        _ = Settings(kafka_password_file=tmp_path / "none").password
