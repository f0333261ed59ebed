"""What all of our Kafka clients share: settings, how they open and close, topics, errors."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, TopicAlreadyExistsError
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket

from triage.errors import Refused, Unavailable
from triage.log import Gap, Topic
from triage.log.dead_letter import SIZE_LIMIT as DEAD_LETTER_LIMIT

#: kafka-python has no types: its clients are whatever they are.
Client: TypeAlias = Any
#: Partitions of a topic that we make.
PARTITIONS: Final = 12
#: The scheme of an address of Kafka.
SCHEME: Final = "kafka"
_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
#: What ``KafkaAdmin.offsets`` is asked for.
OLDEST: Final = -2
NEXT: Final = -1
_DAY_MS: Final = 24 * 3600 * 1000
_PREFIX: Final = "triage."
#: How topics are made when they are missing; whoever runs Kafka may make them otherwise first.
_TOPIC_CONFIG: Final[Mapping[Topic, Mapping[str, str]]] = {
    Topic.POSTS: {"retention.ms": str(14 * _DAY_MS)},
    Topic.URGENT: {"retention.ms": str(14 * _DAY_MS)},
    Topic.ASSESSED: {"retention.ms": str(7 * _DAY_MS)},
    Topic.DEAD_LETTER: {
        "retention.ms": str(30 * _DAY_MS),
        "max.message.bytes": str(DEAD_LETTER_LIMIT + 4096),
    },
    # Exports and `rebuild` read it from its first record.
    Topic.OUTCOMES: {"retention.ms": "-1"},
}
#: What a client may raise because the cluster is away, or because a rebalance on its I/O thread
#: crossed a call on ours (the assignment is a plain dict): wait and do it again.
CLIENT_ERRORS: Final = (KafkaError, OSError, KeyError, RuntimeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """How to reach a cluster and to behave in its group."""

    #: ``host:port`` of a few brokers.
    servers: tuple[str, ...]
    group: str = "triage"
    #: Shown in the broker's logs and quotas; a random incarnation is added.
    client_id: str = "triage"
    #: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
    security_protocol: str = "PLAINTEXT"
    #: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, with a SASL protocol.
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    #: File of the authorities to trust; None: the system's.
    ssl_cafile: str | None = None
    #: File of our certificate and of its key, where the brokers ask for one.
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    #: What the topics' names begin with, in place of ``triage.``.
    topic_prefix: str = _PREFIX
    partitions: int = PARTITIONS
    #: Copies of a topic that we make; -1: the cluster's default.
    replication_factor: int = -1
    #: After how many seconds without a heartbeat a reader is dead.
    session_seconds: float = 10.0
    #: How long ``append`` tries before it gives up, in seconds.
    append_seconds: float = 10.0
    #: A partition that has records and gives none for so many seconds makes us join again.
    watchdog_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.security_protocol not in _PROTOCOLS:
            raise Refused(f"kafka_security_protocol: een van {', '.join(_PROTOCOLS)}")
        if self.security_protocol.startswith("SASL"):
            if self.sasl_mechanism not in _MECHANISMS:
                raise Refused(f"kafka_sasl_mechanism: een van {', '.join(_MECHANISMS)}")
            if not self.sasl_username or not self.sasl_password:
                raise Refused("kafka_username en kafka_password: nodig bij SASL")

    @classmethod
    def from_url(cls, url: str, **options: object) -> KafkaSettings:
        """Read ``kafka://host:port[,host:port]``; options are the fields above.

        Raises Refused for any other address, without repeating it.
        """
        parts = urlsplit(url)
        servers = tuple(server for server in parts.netloc.split(",") if server)
        # A password in an address would end in process lists and logs.
        if parts.scheme != SCHEME or not servers or "@" in parts.netloc or parts.query:
            raise Refused("het adres van de log is kafka://host:poort[,host:poort]")
        return cls(servers=servers, **options)  # type: ignore[arg-type] # checked by the dataclass

    def topic(self, topic: Topic) -> str:
        """Give the name of a stream's topic in this cluster."""
        return self.topic_prefix + topic.value.removeprefix(_PREFIX)

    def client(self) -> dict[str, Any]:
        """Give the settings that every client of kafka-python takes."""
        config: dict[str, Any] = {
            "bootstrap_servers": list(self.servers),
            "client_id": f"{self.client_id}-{secrets.token_hex(4)}",
            "security_protocol": self.security_protocol,
            "bootstrap_timeout_ms": 4000,
            "reconnect_backoff_ms": 50,
            # The default, 30 s, would keep us away long after the broker is back.
            "reconnect_backoff_max_ms": 1000,
            "metadata_max_age_ms": 60_000,
        }
        if self.security_protocol.startswith("SASL"):
            config |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        if self.security_protocol.endswith("SSL"):
            config |= {
                "ssl_check_hostname": True,
                "ssl_cafile": self.ssl_cafile,
                "ssl_certfile": self.ssl_certfile,
                "ssl_keyfile": self.ssl_keyfile,
            }
        return config


_sock_connect = KafkaNetSocket.sock_connect


async def _sock_connect_or_close(
    maker: Client,
    net: Client,
    sock: socket.socket,
    address: object,
    timeout_at: float | None = None,
) -> Client:
    try:
        return await _sock_connect(maker, net, sock, address, timeout_at=timeout_at)
    except BaseException:
        sock.close()
        raise


# kafka-python 3.0 leaves a socket that could not connect to the garbage collector: while a broker
# is away a worker would lose two or three a second, and run out of them within minutes.
KafkaNetSocket.sock_connect = _sock_connect_or_close


@contextlib.contextmanager
def unavailable(doing: str) -> Iterator[None]:
    """Turn the client's errors into Unavailable, by their kind only: their text is not ours."""
    try:
        yield
    except CLIENT_ERRORS as error:
        raise Unavailable(f"Kafka: {doing}: {type(error).__name__}") from None


def opened(kind: Callable[..., Client], config: Mapping[str, Any], **more: object) -> Client:
    """Open a client; one that can't leaves no thread behind (its constructor would)."""
    made: list[Client] = []
    net_client: Client = KafkaNetClient

    def net(**options: object) -> Client:
        made.append(net_client(**options))
        return made[-1]

    try:
        return kind(**config, **more, kafka_client=net)
    except BaseException:
        for client in made:
            with contextlib.suppress(Exception):
                client.close()
                client._net.stop()  # noqa: SLF001 - no other way to its thread
        raise


def outside_group(settings: KafkaSettings, **more: object) -> Client:
    """Open a consumer that is in no group and never moves by itself."""
    return opened(
        KafkaConsumer,
        settings.client(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        allow_auto_create_topics=False,
        metrics_enabled=False,
        **more,
    )


class TopicIdentity:
    """Notices a topic that was deleted and made anew: it keeps its name, and our positions."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._id: object = None

    def changed(self, consumer: Client) -> bool:
        """Say whether it is another topic than at the last look."""
        current = consumer._cluster.topic_id(self._topic)  # noqa: SLF001 - the client tells nobody
        if current is None or not current.int or current == self._id:
            return False
        before, self._id = self._id, current
        return before is not None


def named(partition: str) -> TopicPartition:
    """Give the partition that a name of ours names."""
    topic, _, number = partition.rpartition("-")
    return TopicPartition(topic, int(number))


def name_of(partition: TopicPartition) -> str:
    """Name a partition."""
    return f"{partition.topic}-{partition.partition}"


class KafkaAdmin:
    """Topics, offsets of any group, and whether the cluster answers. Opened when first used."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client: Client = None
        self._ready: set[str] = set()

    def client(self, *, seconds: float = 4.0) -> Client:
        """Give the open client; raises the client's errors."""
        if self._client is None:
            config = self._settings.client() | {
                "bootstrap_timeout_ms": int(seconds * 1000),
                "request_timeout_ms": 10_000,
            }
            self._client = opened(KafkaAdminClient, config)
        return self._client

    def ensure(self, topics: Iterable[Topic]) -> None:
        """Make the topics that are missing; several processes may do so at once."""
        wanted = {self._settings.topic(topic): topic for topic in topics}
        missing = wanted.keys() - self._ready
        if not missing:
            return
        admin = self.client()
        for name in missing - set(admin.list_topics()):
            options = {
                "num_partitions": self._settings.partitions,
                "replication_factor": self._settings.replication_factor,
                "configs": dict(_TOPIC_CONFIG[wanted[name]]),
            }
            with contextlib.suppress(TopicAlreadyExistsError):
                admin.create_topics({name: options})
        admin.wait_for_topics(sorted(missing))
        self._ready |= missing

    def forget(self) -> None:
        """Look again whether the topics are there: one was deleted under us."""
        self._ready.clear()

    def partitions(self, topic: Topic) -> list[TopicPartition]:
        """Give the partitions of a topic; none where it does not exist."""
        name = self._settings.topic(topic)
        described = self.client().describe_topics([name])
        return [
            TopicPartition(name, partition["partition_index"])
            for found in described
            if found["error_code"] == 0
            for partition in sorted(found["partitions"], key=lambda item: item["partition_index"])
        ]

    def offsets(self, partitions: Iterable[TopicPartition], spec: int) -> dict[TopicPartition, int]:
        """Give an offset a partition.

        ``spec``: OLDEST is the oldest record's, NEXT that of the record to come; milliseconds
        since 1970: the first record's that is not older (-1 where there is none).
        """
        wanted = dict.fromkeys(partitions, spec)
        if not wanted:
            return {}
        found = self.client().list_partition_offsets(wanted, timeout_ms=5000)
        return {partition: at.offset for partition, at in found.items()}

    def resume(
        self, partition: TopicPartition, offset: int | None, *, anew: bool
    ) -> tuple[int, Gap | None]:
        """Give where reading goes on that is to go on at ``offset``, and the gap if that's not it.

        ``offset`` None: at the oldest record; ``anew``: the topic is not the one that was read.
        """
        oldest = self.offsets([partition], OLDEST)[partition]
        if offset is None:
            return oldest, None
        if not anew and oldest <= offset <= self.offsets([partition], NEXT)[partition]:
            return offset, None
        missing = 0 if anew else max(0, oldest - offset)
        name = name_of(partition)
        return oldest, Gap(partition=name, start=offset, resume=oldest, count=missing)

    def committed(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Give what our group committed."""
        group = self._settings.group
        found = self.client().list_group_offsets({group: list(partitions)}).get(group, {})
        return {partition: at.offset for partition, at in found.items() if at.offset >= 0}

    def ping(self, *, seconds: float) -> None:
        """Return when a broker answers within so many seconds; raises the client's errors."""
        client = self.client(seconds=seconds)
        # The public calls know no time-out; these are what they are made of.
        manager = client._manager  # noqa: SLF001
        answer = manager.cluster.request_update()
        client._net.run(manager.wait_for, answer, seconds * 1000)  # noqa: SLF001

    def close(self) -> None:
        """Let go of the connection; the next call opens it again."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(*CLIENT_ERRORS):
                client.close()
