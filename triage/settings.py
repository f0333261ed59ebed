"""The only reader of the environment and of ``triage.toml``.

Every value has a safe default: the embedded store, a loopback address, no password. A variable is
named ``TRIAGE_`` and the field in capitals; secrets may come from a file (``..._file``) so that
they stand in no process list and no manifest.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from triage.access import Role
from triage.errors import Refused


def _log_url(url: str) -> str:
    if url and not url.startswith(("sqlite://", "kafka://")):
        msg = "begint met sqlite:// of kafka://"
        raise ValueError(msg)
    return url


def _queue_url(url: str) -> str:
    if url and not url.startswith(("sqlite://", "redis://", "rediss://", "redis+cluster://")):
        msg = "begint met sqlite://, redis:// of rediss://"
        raise ValueError(msg)
    return url


def _public_url(url: str) -> str:
    if url and not url.startswith(("https://", "http://")):
        msg = "begint met https://"
        raise ValueError(msg)
    return url.rstrip("/")


def _json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value or "{}")
    except ValueError:
        msg = "geen JSON-object"
        raise ValueError(msg) from None


#: A file or folder; empty: none.
_Place = Annotated[Path | None, BeforeValidator(lambda given: given or None)]


class Settings(BaseSettings):
    """How this deployment is set up."""

    model_config = SettingsConfigDict(
        env_prefix="TRIAGE_",
        toml_file="triage.toml",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    #: Where the embedded store, the first-start token and the workers' marks live.
    data: Path = Path("triage-data")
    #: ``kafka://host:9092[,host:9092]`` or ``sqlite:///path``; empty: the embedded store.
    log: Annotated[str, AfterValidator(_log_url)] = ""
    #: ``redis://[:password@]host:6379/0``, ``rediss://…`` or ``sqlite:///path``; empty: embedded.
    queue: Annotated[str, AfterValidator(_queue_url)] = ""
    #: Names of shipped profiles or paths of TOML files, separated by commas; the first is the
    #: deployment's own organisation, which takes posts of no or an unknown organisation.
    profile: str = "gemeente"
    #: A folder of one's own models; empty: ``models`` in ``data``. The shipped stand behind it.
    models: _Place = None
    #: A version to stay on; empty: the one that is live, followed as it changes.
    model: str = ""

    #: Bound by default to this machine only.
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    #: Where a worker shows ``/metrics``, ``/healthz`` and ``/readyz``; 0: nowhere.
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=9108, ge=0, le=65535)
    #: How browsers reach the server (``https://triage.example.nl``), where that isn't loopback.
    public_url: Annotated[str, AfterValidator(_public_url)] = ""
    #: The OpenID provider at which people sign in, exactly as its tokens name it.
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    #: Without: a public client, by PKCE alone.
    oidc_client_secret_file: _Place = None
    oidc_scope: str = "openid profile"
    #: Where roles (lezer, medewerker, teamleider, beheerder) stand in the ID token, and JSON that
    #: makes its values roles: ``{"GG-WEBCARE": "medewerker"}``.
    oidc_roles_claim: str = "roles"
    oidc_role_map: Annotated[dict[str, Role], NoDecode, BeforeValidator(_json)] = Field(
        default_factory=dict
    )
    #: Where teams stand; empty: everybody works for all. JSON: value to ``team`` or ``org/team``.
    oidc_teams_claim: str = ""
    oidc_team_map: Annotated[dict[str, str], NoDecode, BeforeValidator(_json)] = Field(
        default_factory=dict
    )
    oidc_name_claim: str = "name"
    #: Let one-time links of ``triage link`` sign in on an address that isn't loopback as well.
    local_account: bool = False
    #: How long a session lasts without requests of its owner, and at most.
    session_idle_minutes: float = Field(default=60, gt=0, le=24 * 60)
    session_hours: float = Field(default=10, gt=0, le=7 * 24)
    #: Ask for a token with ``metrics:read`` on the server's ``/metrics``.
    guard_metrics: bool = False
    #: How long the record of who saw and did what is kept, in days.
    audit_days: float = Field(default=400, ge=30)
    #: JSON: ``{"tokens": [{"name", "sha256", "scopes"}]}``.
    api_tokens_file: _Place = None
    #: JSON: ``{"sources": [{"name", "sha256" | "hmac_secret", "rate_per_minute"}]}``.
    sources_file: _Place = None

    #: TOML: ``[[answer]]`` with ``key``, ``title``, ``text`` (docs/desk.md); None: ours.
    answers_file: _Place = None
    #: A style sheet with the organisation's own NL Design System tokens; None: none.
    tokens_css: _Place = None
    #: The address of a Signalen API without its path; empty: no hand-over.
    signalen_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    signalen_token: SecretStr = SecretStr("")
    signalen_token_file: _Place = None

    #: How the server and ``triage ingest`` find what is critical among the posts that they take:
    #: ``model`` (as a worker does; some 60 MB) or ``rules`` (the safety rules alone).
    urgent_look: str = Field(default="model", pattern="^(model|rules)$")

    processes: int = Field(default=1, ge=1, le=64)
    #: Posts a batch, at most.
    batch: int = Field(default=500, ge=1, le=5000)
    #: Undecodable posts in a row, without one good post, at which a worker stops.
    reject_limit: int = Field(default=1000, ge=1)
    #: How long a resolved ticket stays in the queue store, in days.
    retention_days: float = Field(default=7, gt=0)
    #: How long the embedded log keeps posts that were read, in days.
    log_retention_days: float = Field(default=14, gt=0)
    #: After how long a reader that is not heard of loses its partitions to others, in seconds.
    session_seconds: float = Field(default=10, ge=1, le=300)
    #: Accept a Redis that may lose what it answered.
    allow_volatile: bool = False

    kafka_group: str = "triage"
    kafka_partitions: int = Field(default=12, ge=1, le=1000)
    #: -1: as the broker is set.
    kafka_replication: int = Field(default=-1, ge=-1)
    kafka_security_protocol: str = Field(
        default="PLAINTEXT", pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$"
    )
    kafka_sasl_mechanism: str = Field(
        default="SCRAM-SHA-512", pattern="^(SCRAM-SHA-256|SCRAM-SHA-512|PLAIN)$"
    )
    kafka_username: str = ""
    kafka_password: SecretStr = SecretStr("")
    kafka_password_file: _Place = None
    kafka_ca_file: _Place = None

    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order: options of the command, the environment, ``triage.toml``."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="after")
    def _one_embedded_file(self) -> Self:
        if self.log.startswith("sqlite") != self.queue.startswith("sqlite") and (
            self.log and self.queue
        ):
            msg = "log en queue staan samen in SQLite, of samen in Kafka en Redis"
            raise ValueError(msg)
        return self

    @property
    def log_url(self) -> str:
        """The log's address, the embedded one where none is set."""
        return self.log or self._embedded

    @property
    def queue_url(self) -> str:
        """The queue's address, the embedded one where none is set."""
        return self.queue or self._embedded

    @property
    def _embedded(self) -> str:
        return f"sqlite:///{(self.data / 'triage.db').absolute()}"

    @property
    def profiles(self) -> tuple[str, ...]:
        """Names or paths of the profiles; the first is the deployment's own."""
        return tuple(name.strip() for name in self.profile.split(",") if name.strip())

    @property
    def password(self) -> str:
        """Kafka's password, from the file where one is named."""
        if self.kafka_password_file is None:
            return self.kafka_password.get_secret_value()
        return _secret("TRIAGE_KAFKA_PASSWORD_FILE", self.kafka_password_file)

    @property
    def oidc_client_secret(self) -> str:
        """The secret of our client at the provider; empty for a public client."""
        if self.oidc_client_secret_file is None:
            return ""
        return _secret("TRIAGE_OIDC_CLIENT_SECRET_FILE", self.oidc_client_secret_file)


def _secret(name: str, path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Refused(f"{name}: niet te lezen ({error.strerror})") from None


def load_settings(**options: object) -> Settings:
    """Read settings; ``options`` (of a command line) that are None don't count.

    Raises Refused with one line per wrong value, which names the value's field and not the value.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type] # pydantic validates what a caller gives
    except ValidationError as error:
        lines = [
            f"TRIAGE_{'_'.join(map(str, problem['loc'])).upper() or 'SETTINGS'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_context=False)
        ]
        raise Refused("\n".join(lines)) from None
