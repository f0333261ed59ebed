"""The peer: a plain kafka-python loop with a scikit-learn pipeline as Amsterdam's Signalen has it.

Word counts, term frequency without IDF, L1 logistic regression by liblinear; what the model says
goes into Redis as a hash and a sorted set. It does less than we do (one model for the topic; no
urgency, intent, entities, rules, due time, positions, events or outbox), without the stemmer and
the word pairs that Amsterdam's may have: every one of these would make it slower.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import Any, Final

import orjson
from kafka import KafkaConsumer
from redis import Redis
from sklearn.pipeline import Pipeline

from benchmarks._job import Clock, Job, ready
from benchmarks._posts import CORPUS
from benchmarks.judges.base import labels_of, texts_of
from benchmarks.judges.signalen import fit
from triage.log import Topic

#: Messages a batch, as our worker takes them.
BATCH: Final = 500


#: kafka-python has no types.
_CONSUMER: Final[Any] = KafkaConsumer


def train() -> Pipeline:
    """Train on the topics of the corpus."""
    rows = [
        row
        for path in sorted(CORPUS.glob("*.jsonl"))
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())
    ]
    return fit(texts_of(rows), labels_of(rows, "topic"))


def run(job: Job) -> dict[str, Any]:
    """Work through so many posts, one message at a time or in batches."""
    model = train()
    redis = Redis.from_url(job.redis)
    consumer = _CONSUMER(
        Topic.POSTS.value,
        bootstrap_servers=job.kafka.removeprefix("kafka://"),
        group_id=job.group,
        auto_offset_reset="earliest",
    )
    while not consumer.assignment():
        consumer.poll(timeout_ms=100, max_records=1)
    consumer.seek_to_beginning()
    ready()
    clock = Clock()
    done = (_one_by_one if job.kind == "peer-one" else _batched)(consumer, model, redis, job.posts)
    measured = clock.stopped(done)
    consumer.close()
    return measured


def _one_by_one(consumer: Any, model: Pipeline, redis: Redis, posts: int) -> int:  # noqa: ANN401
    done = 0
    for message in islice(consumer, posts):
        post = orjson.loads(message.value)
        likely = model.predict_proba([post["text"]])[0]
        pipe = redis.pipeline()
        _put(pipe, post, likely, model.classes_)
        pipe.execute()
        done += 1
    return done


def _batched(consumer: Any, model: Pipeline, redis: Redis, posts: int) -> int:  # noqa: ANN401
    done = 0
    while done < posts:
        polled = consumer.poll(timeout_ms=100, max_records=BATCH)
        batch = [orjson.loads(message.value) for part in polled.values() for message in part]
        if not batch:
            continue
        likely = model.predict_proba([post["text"] for post in batch])
        pipe = redis.pipeline()
        for post, row in zip(batch, likely, strict=True):
            _put(pipe, post, row, model.classes_)
        pipe.execute()
        done += len(batch)
    return done


def _put(pipe: Any, post: dict[str, Any], likely: Any, classes: Any) -> None:  # noqa: ANN401
    best = likely.argmax()
    ticket = f"peer:ticket:{post['id']}"
    fields = {
        "text": post["text"],
        "channel": post["channel"],
        "author": post["author"]["id"],
        "created_at": post["created_at"],
        "topic": classes[best],
        "p": float(likely[best]),
    }
    pipe.hset(ticket, mapping=fields)
    pipe.zadd("peer:queue", {ticket: -float(likely[best])})
