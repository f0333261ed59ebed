"""The image and the compose file fit the product: its settings, its commands, its demands."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from triage.classify import default_models_dir
from triage.cli import app
from triage.errors import Refused, Unavailable
from triage.models import default_registry
from triage.models.tally import COUNTS
from triage.queue.redis import RedisQueue
from triage.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
VARIABLES = {f"TRIAGE_{name.upper()}" for name in Settings.model_fields}


def instructions() -> list[list[tuple[str, str]]]:
    """Give the Dockerfile's stages, each a list of (instruction, rest)."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not re.match(r"\s*#", line)]
    stages: list[list[tuple[str, str]]] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            stages.append([])
        if name:
            stages[-1].append((name, " ".join(rest.split())))
    return stages


def all_of(stage: list[tuple[str, str]], name: str) -> list[str]:
    """Give what stands after each instruction of that name in a stage."""
    return [rest for instruction, rest in stage if instruction == name]


def environment(stage: list[tuple[str, str]]) -> dict[str, str]:
    """Give the variables that a stage sets."""
    words = [word for rest in all_of(stage, "ENV") for word in shlex.split(rest)]
    return dict(word.split("=", 1) for word in words)


def parses(arguments: list[str]) -> bool:
    """Tell whether `triage` takes these arguments (it does not run); raise where it does not."""
    group: Any = typer.main.get_command(app)
    context = group.make_context("triage", list(arguments))
    name, command, rest = group.resolve_command(context, arguments)
    command.make_context(name, list(rest), parent=context)
    return True


# -- the image -----------------------------------------------------------------------------------


def test_the_image_has_no_build_tools() -> None:
    """The last stage installs nothing and gets the environment from the first, whole."""
    build, final = instructions()
    assert all_of(build, "FROM")[0].endswith(" AS build")
    for stage in (build, final):
        assert re.fullmatch(r"python:3\.1[1-9]-slim-\w+( AS \w+)?", all_of(stage, "FROM")[0])
    assert all_of(build, "FROM")[0].split()[0] == all_of(final, "FROM")[0]
    assert not re.search(r"pip|apt|gcc|curl", " ".join(all_of(final, "RUN")))
    assert "--from=build /opt/triage/ /opt/triage/" in all_of(final, "COPY")


def test_the_image_installs_by_hash() -> None:
    """Every package in the image is pinned by its hash, and what builds the wheel leaves again."""
    build = " ".join(all_of(instructions()[0], "RUN"))
    installs = [part for part in build.split("&&") if " install " in part]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--no-index" in installs[1]
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    lock = "\n".join(line for line in lines if not re.match(r"\s*#", line)).strip()
    packages = re.split(r"\n(?=\S)", lock)
    pinned = re.compile(r"([\w.-]+)==.*--hash=sha256:", re.DOTALL)
    assert [package for package in packages if not pinned.match(package)] == []
    assert any(package.startswith("hatchling==") for package in packages)
    assert re.search(r"uninstall --yes [\w -]*hatchling", build)


def test_the_image_runs_as_a_number_and_not_as_root() -> None:
    """Kubernetes can see that the user is not root, and the data folder is that user's."""
    final = instructions()[1]
    user, group = all_of(final, "USER")[-1].split(":")
    assert int(user) >= 10000
    data = environment(final)["TRIAGE_DATA"]
    assert f"install -d -o {user} -g {group} -m 0700 {data}" in " ".join(all_of(final, "RUN"))
    assert all_of(final, "WORKDIR") == [data]


def test_the_image_fits_the_product() -> None:
    """Its command, ports and variables are ones that triage knows."""
    final = instructions()[1]
    variables = environment(final)
    assert {name for name in variables if name.startswith("TRIAGE_")} <= VARIABLES
    assert variables["PYTHONDONTWRITEBYTECODE"] == "1"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (script,) = yaml.safe_load(all_of(final, "ENTRYPOINT")[0])
    assert script in project["scripts"]
    assert parses(yaml.safe_load(all_of(final, "CMD")[0]))
    fields = Settings.model_fields
    ports = [fields["port"].default, fields["metrics_port"].default]
    assert all_of(final, "EXPOSE") == [" ".join(map(str, ports))]
    assert not re.search("curl|wget", all_of(final, "HEALTHCHECK")[0])
    assert any("licenses" in rest and "EUPL-1.2" in rest for rest in all_of(final, "LABEL"))


def test_what_the_image_copies_is_there() -> None:
    """Each file that the Dockerfile copies exists and is sent to the builder."""
    ignore = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line]
    allowed = [line[1:] for line in ignore if line.startswith("!")]
    assert "*" in ignore
    for stage in instructions():
        for rest in all_of(stage, "COPY"):
            if rest.startswith("--from="):
                continue
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert any(fnmatch.fnmatch(source.rstrip("/"), name) for name in allowed), source


class Health(BaseHTTPRequestHandler):
    """Answers with the status that its server holds."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(self.server.status if self.path == "/healthz" else 404)  # type: ignore[attr-defined] # set by the test
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("variable", ["TRIAGE_PORT", "TRIAGE_METRICS_PORT"])
def test_the_health_check_asks_the_server_or_the_worker(variable: str) -> None:
    """Exit status 0 when either answers 200; 1 when it answers otherwise or not at all."""
    with HTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ports = {"TRIAGE_PORT": "1", "TRIAGE_METRICS_PORT": "1", variable: str(server.server_port)}
        command = [sys.executable, str(ROOT / "deploy" / "healthcheck.py")]
        found = []
        for status in (200, 503):
            server.status = status  # type: ignore[attr-defined] # read by Health
            found.append(subprocess.run(command, env=os.environ | ports, check=False).returncode)
        server.shutdown()
    found.append(subprocess.run(command, env=os.environ | ports, check=False).returncode)
    assert found == [0, 1, 1]


# -- compose -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Give the compose file, with the defaults of its variables filled in."""
    text = (ROOT / "deploy" / "compose.yaml").read_text()
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    assert "${" not in text
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_compose_sets_what_triage_knows(compose: dict[str, Any], tmp_path: Path) -> None:
    """Every TRIAGE_ variable exists, and each service's settings are valid as they stand."""
    for name in ("worker", "server"):
        variables = compose["services"][name]["environment"]
        assert variables.keys() <= VARIABLES
        settings = Settings(**{key[7:].lower(): value for key, value in variables.items()})
        assert (settings.answers_file, settings.tokens_css) == (None, None)
        assert settings.log == "kafka://kafka:9092"
        assert settings.queue == "redis://redis:6379/0"
        assert not settings.allow_volatile


#: Settings that compose leaves as they are, or gives in another way.
LEFT = {
    # In the image and in the commands.
    *("DATA", "HOST", "PORT"),
    # For those who measure or mend, one by one: an override file sets them.
    *("MODEL", "BATCH", "REJECT_LIMIT", "SESSION_SECONDS", "KAFKA_GROUP", "ALLOW_VOLATILE"),
    *("SESSION_IDLE_MINUTES", "SESSION_HOURS", "AUDIT_DAYS", "RETENTION_DAYS", "GUARD_METRICS"),
    # Of the embedded log.
    "LOG_RETENTION_DAYS",
    # The broker of compose has neither login nor TLS, and is reached by nobody else.
    *("KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM", "KAFKA_USERNAME", "KAFKA_CA_FILE"),
    # Secrets stand in files.
    *("KAFKA_PASSWORD", "KAFKA_PASSWORD_FILE", "SIGNALEN_TOKEN"),
}


def test_no_setting_is_forgotten(compose: dict[str, Any]) -> None:
    """A setting is in compose, or it is written down here why not: a new one is told at once."""
    services = (compose["services"][name]["environment"] for name in ("worker", "server"))
    left = {f"TRIAGE_{name}" for name in LEFT}
    found = {name for variables in services for name in variables}
    assert found | left == VARIABLES
    assert not found & left


def test_what_is_promoted_reaches_the_workers(compose: dict[str, Any]) -> None:
    """Server and worker have one folder of models, which only the server writes, and of counts."""
    mounts = {
        name: {
            where: (source, mode)
            for source, where, mode in (
                (*volume.split(":"), "rw")[:3] for volume in compose["services"][name]["volumes"]
            )
        }
        for name in ("worker", "server")
    }
    models = compose["services"]["worker"]["environment"]["TRIAGE_MODELS"]
    assert models == compose["services"]["server"]["environment"]["TRIAGE_MODELS"]
    assert mounts["worker"][models] == ("models", "ro")
    assert mounts["server"][models] == ("models", "rw")
    counts = f"{environment(instructions()[1])['TRIAGE_DATA']}/{COUNTS}"
    assert mounts["worker"][counts] == mounts["server"][counts] == ("counts", "rw")
    # A new volume takes its owner from the image.
    made = " ".join(all_of(instructions()[1], "RUN"))
    assert models in made
    assert counts in made


def test_a_new_volume_needs_no_seed(tmp_path: Path) -> None:
    """An empty folder that cannot be written to gives the shipped model to whoever judges."""
    empty = tmp_path / "models"
    empty.mkdir(mode=0o500)
    registry = default_registry(empty, tmp_path)
    version = registry.current()
    assert registry.path(version).parent == default_models_dir()
    assert [one.version for one in registry.versions() if one.current] == [version]


def test_compose_runs_commands_that_exist(compose: dict[str, Any]) -> None:
    """`triage` takes the arguments that compose gives it."""
    assert compose["services"]["worker"]["command"][0] == "work"
    assert parses(compose["services"]["worker"]["command"])
    assert compose["services"]["server"]["command"][0] == "serve"
    assert parses(compose["services"]["server"]["command"])


def test_compose_locks_the_containers_up(compose: dict[str, Any]) -> None:
    """No capabilities, no new privileges, loopback only, restarted and watched, all of them."""
    healths = 0
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "unless-stopped"
        assert service["read_only"] is (name != "kafka")
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert not {"privileged", "pid", "network_mode", "cap_add"} & service.keys()
        healths += "healthcheck" in service
        mounted = {volume.split(":")[0] for volume in service["volumes"]}
        assert mounted - {"./desk"} <= compose["volumes"].keys()
        assert "./desk" not in mounted or "./desk:/etc/triage/desk:ro" in service["volumes"]
    assert healths == 2  # Kafka and Redis; the image of triage has its own
    waits = compose["services"]["worker"]["depends_on"]
    assert {wait["condition"] for wait in waits.values()} == {"service_healthy"}


def test_compose_holds_no_secret(compose: dict[str, Any]) -> None:
    """Tokens and sources come from files outside the repository, and nobody reaches the stores."""
    assert compose["secrets"].keys() == {
        *("api-tokens", "sources", "oidc-client-secret", "signalen-token"),
    }
    assert all(set(secret) == {"file"} for secret in compose["secrets"].values())
    for variable in (
        "TRIAGE_API_TOKENS_FILE",
        "TRIAGE_SOURCES_FILE",
        "TRIAGE_OIDC_CLIENT_SECRET_FILE",
    ):
        path = compose["services"]["server"]["environment"][variable]
        assert path.removeprefix("/run/secrets/") in compose["services"]["server"]["secrets"]
    assert compose["services"]["redis"]["networks"] == ["stores"]
    assert compose["networks"]["stores"] == {"internal": True}


def test_compose_runs_the_broker_that_is_tested(compose: dict[str, Any]) -> None:
    """The major version of Kafka is the tests' own, and one broker asks for one copy."""
    kafka = compose["services"]["kafka"]
    pom = (ROOT / "tests" / "kafka" / "pom.xml").read_text()
    tested = re.search(r"<kafka.version>(\d+)\.", pom)
    assert tested
    assert re.fullmatch(rf"apache/kafka:{tested[1]}\.\d+\.\d+", kafka["image"])
    assert kafka["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert "kafka-data:" + kafka["environment"]["KAFKA_LOG_DIRS"] in kafka["volumes"]
    assert compose["services"]["worker"]["environment"]["TRIAGE_KAFKA_REPLICATION"] == "1"


@pytest.fixture
def redis_url(
    compose: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """Run Redis with the arguments of the compose file, and those of the test after them."""
    program = shutil.which("redis-server")
    if program is None:
        message = "no redis-server: apt-get install -y --no-install-recommends redis-server"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    name, *arguments = compose["services"]["redis"]["command"]
    assert name == "redis-server"
    arguments = [str(tmp_path) if word == "/data" else word for word in arguments]
    own = ["--port", str(port), "--bind", "127.0.0.1"]
    extra = getattr(request, "param", [])
    process = subprocess.Popen(
        [program, *arguments, *own, *extra], stdout=subprocess.DEVNULL, cwd=tmp_path
    )
    url = f"redis://127.0.0.1:{port}/0"
    try:
        queue = RedisQueue(url)
        deadline = time.monotonic() + 20
        while True:
            try:
                queue.ping()
                break
            except Unavailable:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        queue.close()
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.mark.redis
def test_the_redis_of_compose_satisfies_the_queue(redis_url: str) -> None:
    """The queue takes the Redis that compose starts as one that loses nothing."""
    with RedisQueue(redis_url) as queue:
        queue.check()


@pytest.mark.redis
@pytest.mark.parametrize(
    "redis_url",
    [["--appendonly", "no"], ["--maxmemory-policy", "allkeys-lru", "--maxmemory", "64mb"]],
    indirect=True,
)
def test_another_redis_would_not(redis_url: str) -> None:
    """Without its file on disk, or evicting, that same Redis is refused."""
    with RedisQueue(redis_url) as queue, pytest.raises(Refused):
        queue.check()
