"""A real Apache Kafka broker (KRaft, one process), for tests and benchmarks.

The jars come once from Maven Central, by ``tests/kafka/pom.xml``, into a cache folder outside the
repository; ``TRIAGE_KAFKA_HOME`` names another folder that has them in ``libs``.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final, Self

POM: Final = Path(__file__).resolve().parent.parent / "kafka" / "pom.xml"
#: What to install on Debian when something is missing.
DEBIAN_PACKAGES: Final = "apt-get install -y --no-install-recommends openjdk-17-jre-headless maven"
#: The user of a broker that was started with ``scram=True``.
SCRAM_USER: Final = "triage"
SCRAM_PASSWORD: Final = "triage-geheim"
_START_SECONDS: Final = 60.0
_CLUSTER_ID: Final = "dHJpYWdlLXRlc3RzLTAwMA"


class BrokerMissing(Exception):
    """Java, Maven or the jars are missing; the message says what to install."""


def kafka_version() -> str:
    """Give the pinned version of the broker."""
    found = re.search("<kafka.version>(.+)</kafka.version>", POM.read_text())
    assert found, "no kafka.version in the pom"
    return found[1]


def kafka_jars() -> Path:
    """Give the folder of the broker's jars; fetch them where they are not there yet."""
    java_version()
    if home := os.environ.get("TRIAGE_KAFKA_HOME"):
        return Path(home) / "libs"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home_dir = cache / "triage" / f"kafka-{kafka_version()}"
    libs = home_dir / "libs"
    home_dir.mkdir(parents=True, exist_ok=True)
    # Tests run in several processes; the first one fetches, the others wait for it.
    with (home_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home_dir / "complete").exists():
            _fetch(libs)
            (home_dir / "complete").touch()
    return libs


def java_version() -> int:
    """Give the major version of Java; raises BrokerMissing where it's absent or too old."""
    java = shutil.which("java")
    if java is None:
        raise BrokerMissing(f"Java 17 or newer is missing: {DEBIAN_PACKAGES}")
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', answer.stderr)
    if found is None or int(found[1]) < 17:
        raise BrokerMissing(f"Java is too old, 17 or newer is needed: {DEBIAN_PACKAGES}")
    return int(found[1])


def _fetch(libs: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerMissing(f"Maven is missing: {DEBIAN_PACKAGES}")
    libs.mkdir(parents=True, exist_ok=True)
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
    command = [
        maven, "-q", "-B", "-f", str(POM), goal,
        f"-DoutputDirectory={libs}", "-DincludeScope=runtime",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0:
        raise BrokerMissing(f"Maven could not fetch the broker: {done.stdout[-2000:]}")


class KafkaBroker:
    """One broker with its data in ``directory``; start it, kill it, start it again."""

    def __init__(
        self, directory: Path, *, heap: str = "512m", scram: bool = False, port: int | None = None
    ) -> None:
        self.directory = directory
        self.port = port or free_port()
        self._heap = heap
        self._scram = scram
        self._controller_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def servers(self) -> str:
        """``host:port``, for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address for ``open_log``."""
        return f"kafka://{self.servers}"

    def start(self) -> Self:
        """Start on the data that is there, and return when clients can connect."""
        assert self._process is None, "the broker runs already"
        self.directory.mkdir(parents=True, exist_ok=True)
        properties = self.directory / "server.properties"
        if not properties.exists():
            properties.write_text(self._properties())
            self._format(properties)
        with (self.directory / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(properties)),
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._wait_for_port()
        return self

    def stop(self) -> None:
        """Stop in order; harmless when it is down."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill -9; harmless when it is down."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process where it stands (it keeps its sockets and answers nothing)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _end(self, sign: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(sign)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _format(self, properties: Path) -> None:
        command = self._java(
            "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties)
        )
        if self._scram:
            secret = f"SCRAM-SHA-256=[name={SCRAM_USER},password={SCRAM_PASSWORD}]"
            command += ["--add-scram", secret, "--add-scram", secret.replace("256", "512")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"formatting failed: {done.stdout}{done.stderr}")

    def _java(self, main: str, *arguments: str) -> list[str]:
        java = shutil.which("java") or "java"
        return [
            java,
            f"-Xmx{self._heap}",
            "-Xms128m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            str(kafka_jars() / "*"),
            main,
            *arguments,
        ]

    def _properties(self) -> str:
        protocol = "SASL_PLAINTEXT" if self._scram else "PLAINTEXT"
        controller = f"CONTROLLER://127.0.0.1:{self._controller_port}"
        lines = [
            "process.roles=broker,controller",
            "node.id=1",
            f"controller.quorum.voters=1@127.0.0.1:{self._controller_port}",
            f"listeners=CLIENT://127.0.0.1:{self.port},{controller}",
            f"advertised.listeners=CLIENT://127.0.0.1:{self.port}",
            "inter.broker.listener.name=CLIENT",
            "controller.listener.names=CONTROLLER",
            f"listener.security.protocol.map=CLIENT:{protocol},CONTROLLER:PLAINTEXT",
            f"log.dirs={self.directory / 'data'}",
            "default.replication.factor=1",
            "offsets.topic.replication.factor=1",
            "offsets.topic.num.partitions=1",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.num.partitions=1",
            "transaction.state.log.min.isr=1",
            "share.coordinator.state.topic.replication.factor=1",
            "share.coordinator.state.topic.min.isr=1",
            # A broker killed and started again may register at once.
            "broker.session.timeout.ms=2500",
            "broker.heartbeat.interval.ms=500",
            "group.initial.rebalance.delay.ms=0",
            "group.min.session.timeout.ms=1000",
            # Retention is put to the test: look often.
            "log.retention.check.interval.ms=1000",
            "log.initial.task.delay.ms=100",
            "file.delete.delay.ms=100",
            "num.network.threads=2",
            "num.io.threads=4",
            "auto.create.topics.enable=false",
            "controlled.shutdown.enable=false",
        ]
        if self._scram:
            module = "org.apache.kafka.common.security.scram.ScramLoginModule required"
            login = f'{module} username="{SCRAM_USER}" password="{SCRAM_PASSWORD}";'
            lines += [
                "sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512",
                "sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512",
                f"listener.name.client.scram-sha-512.sasl.jaas.config={login}",
                f"listener.name.client.scram-sha-256.sasl.jaas.config={module};",
            ]
        return "\n".join(lines) + "\n"

    def _wait_for_port(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                self._process = None
                tail = (self.directory / "server.log").read_text(errors="replace")[-4000:]
                raise RuntimeError(f"the broker ended at its start:\n{tail}")
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=1),
            ):
                return
            time.sleep(0.1)
        self.kill()
        raise RuntimeError(f"the broker did not listen within {_START_SECONDS:.0f} s")


def free_port() -> int:
    """Give a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
