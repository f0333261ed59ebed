"""Open the log that an address names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from triage.errors import Refused
from triage.log import POST_TOPICS, Log


def open_log(  # noqa: PLR0913 - the settings of a cluster, all optional
    url: str,
    *,
    group: str = "triage",
    partitions: int | None = None,
    replication: int = -1,
    security_protocol: str = "PLAINTEXT",
    sasl_mechanism: str | None = None,
    username: str | None = None,
    password: str | None = None,
    ca_file: str | None = None,
    topic_prefix: str = "triage.",
    session_seconds: float = 10.0,
    retention_days: float = 14.0,
    on_rejoin: Callable[[], None] | None = None,
    on_pause: Callable[[float], None] | None = None,
) -> Log:
    """Open ``sqlite:///path`` (absolute: four slashes) or ``kafka://host:port[,host:port]``.

    Connects at the first call. ``session_seconds``: after how long a silent reader is dead.
    ``retention_days``: how long the embedded log keeps posts that were read. ``on_rejoin`` is
    called when a silent partition made us join again, ``on_pause`` with the seconds that a
    rebalance stopped our reading. Raises Refused for any other address, without repeating it.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        # No Kafka client where it's not used, and the other way round.
        from triage.log.sqlite import PARTITIONS, SqliteLog  # noqa: PLC0415
        from triage.log.sqlite_retention import DEFAULT_RETENTION, Retention  # noqa: PLC0415

        path = rest.removeprefix("/")
        if not path:
            raise Refused("het adres van de log noemt geen bestand: sqlite:///map/triage.db")
        posts = dict.fromkeys(POST_TOPICS, retention_days * 24 * 3600)
        return SqliteLog(
            Path(path),
            group=group,
            partitions=partitions or PARTITIONS,
            lease_seconds=session_seconds,
            retention=Retention(seconds={**DEFAULT_RETENTION.seconds, **posts}),
        )
    from triage.log.kafka import KafkaLog  # noqa: PLC0415
    from triage.log.kafka_client import PARTITIONS, KafkaSettings  # noqa: PLC0415

    settings = KafkaSettings.from_url(
        url,
        group=group,
        partitions=partitions or PARTITIONS,
        replication_factor=replication,
        security_protocol=security_protocol,
        sasl_mechanism=sasl_mechanism or None,
        sasl_username=username or None,
        sasl_password=password or None,
        ssl_cafile=ca_file,
        topic_prefix=topic_prefix,
        session_seconds=session_seconds,
    )
    return KafkaLog(settings, on_rejoin=on_rejoin, on_pause=on_pause)
