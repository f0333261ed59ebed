"""Kill everything while posts stream through, then count: each post is in exactly one ticket.

    benchmarks/chaos.py kafka     200,000 posts; kills -9 of worker (20), Redis (2, one of them a
                                  power cut that takes the last second of its file), broker (1)
    benchmarks/chaos.py sqlite    20,000 posts; 20 kills -9 of `triage up`

Prints a table, writes JSON into ``benchmarks/results/``; the exit status is 1 where a post is lost
or double. Needs Java 17, the Kafka jars (``make test`` fetches them) and redis-server.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.plugins.chaos import Report  # noqa: E402 - found by the line above
from tests.plugins.chaos_runs import KafkaRun, SqliteRun, run_kafka, run_sqlite  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"


def main() -> int:
    """Run what was asked for."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="triage-chaos-") as folder:
        if options.backend == "kafka":
            size = KafkaRun(
                posts=options.posts or 200_000,
                kills=options.kills,
                redis_kills=options.redis_kills,
                redis_cuts=options.redis_cuts,
                broker_kills=options.broker_kills,
                session_seconds=options.session_seconds,
                rate=options.rate,
                seed=options.seed,
            )
            report = run_kafka(Path(folder), size)
        else:
            small = SqliteRun(posts=options.posts or 20_000, kills=options.kills, seed=options.seed)
            report = run_sqlite(Path(folder), small)
    _show(report)
    _write(report)
    assert report.verdict is not None
    return 0 if report.verdict.sound else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("backend", choices=["kafka", "sqlite"])
    parser.add_argument("--posts", type=int, help="200000 with Kafka, 20000 with SQLite")
    parser.add_argument("--kills", type=int, default=20, help="of the worker, or of `triage up`")
    parser.add_argument("--redis-kills", type=int, default=1)
    parser.add_argument("--redis-cuts", type=int, default=1, help="kills that take the last second")
    parser.add_argument("--broker-kills", type=int, default=1)
    parser.add_argument(
        "--session-seconds", type=float, default=10, help="until the group gives a worker up"
    )
    parser.add_argument("--rate", type=float, default=400, help="records sent a second (kafka)")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _show(report: Report) -> None:
    assert report.verdict is not None
    found = report.verdict
    blows = ", ".join(f"{often} {name}" for name, often in report.blows.items())
    rows = [
        ("blows", blows),
        ("seconds", f"{report.seconds:.0f}"),
        ("posts sent", f"{found.posts:,}"),
        ("tickets (listed / by depth)", f"{found.tickets:,} / {found.counted:,}"),
        ("posts lost", f"{found.lost:,}"),
        ("posts double", f"{found.double:,}"),
        ("tickets of no post sent", f"{found.strange:,}"),
        ("created events (different ids)", f"{found.created:,}"),
        ("tickets without one", f"{found.unannounced:,}"),
        ("events published again", f"{found.repeated_events:,}"),
        ("undecodable, and not in a dead letter", f"{found.broken:,}, {found.broken_lost:,}"),
        ("posts isolated unjudged", f"{found.isolated:,}"),
        *((name.replace("_", " "), f"{value:,}") for name, value in report.figures.items()),
        ("verdict", "sound" if found.sound else "NOT SOUND"),
    ]
    print(f"chaos, {report.backend}")
    for name, value in rows:
        print(f"  {name:<40}{value}")


def _write(report: Report) -> None:
    RESULTS.mkdir(exist_ok=True)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    path = RESULTS / f"chaos-{report.backend}.json"
    path.write_text(json.dumps({"at": at, **report.as_json()}, indent=2) + "\n")
    print(f"  {'written to':<40}{path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
