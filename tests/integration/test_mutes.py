"""Mutes in a real worker, on either backend: from the stream, through both lanes, and rebuilt."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import orjson

from tests.plugins.programs import wait_until
from tests.plugins.scene import Scene, now, post
from triage.lane import Lane, Look
from triage.log import Topic
from triage.log.posts import new_record
from triage.post import Author, Post
from triage.relay import Relay
from triage.ticket import State, Urgency, ticket_id

SPAMMER = {"id": "@winst", "name": "Snel Rijk"}
PRAISE = "Wat een mooi nieuw park, complimenten aan de hoveniers van de gemeente"


def said(identity: str, text: str, **author: Any) -> bytes:
    return post(identity, text, channel="x", author=SPAMMER | author)


def stands(scene: Scene) -> dict[str, tuple[State, Urgency]]:
    """Tell how each post's ticket stands."""
    names = ("eerst", "spam", "nood", "gas", "figuur", "ander")
    found = {name: scene.ticket(name) for name in names}
    return {name: (one.state, one.urgency) for name, one in found.items() if one is not None}


def test_a_worker_mutes_and_lets_through(scene: Scene) -> None:
    """Spam stands resolved; what a rule, the lane or an edit makes critical, and others, wait."""
    worker = scene.worker().start()
    scene.append(said("eerst", PRAISE))
    scene.await_ticket("eerst", worker)
    asked: dict[str, Any] = {"by": "an", "now": now(), "request": uuid.uuid4().hex}
    ticket, until = ticket_id(scene.org, "eerst"), now() + timedelta(days=1)
    mute = scene.queue.mute(ticket, until=until, reason="spam", **asked)
    figure = next(iter(scene.profile.key_figures))
    scene.append(
        said("spam", PRAISE),
        said("nood", "Er is een gaslucht in het trappenhuis van de flat"),
        said("gas", PRAISE + ", echt waar"),
        said("figuur", PRAISE, id=figure),
        said("ander", PRAISE, id="@piet"),
    )
    for name in ("spam", "nood", "gas", "figuur", "ander"):
        scene.await_ticket(name, worker)
    gas = scene.ticket("gas")
    assert gas is not None
    assert gas.state is State.RESOLVED
    edit = Post(
        id="gas",
        text="Er is een gaslucht in het trappenhuis, mensen worden onwel",
        created_at=now(),
        channel="x",
        author=Author(id=SPAMMER["id"], name=SPAMMER["name"]),
    )
    went = Lane(scene.log, Look()).append([edit], [new_record(edit)])
    assert went.urgent == 1
    wait_until(lambda: stands(scene)["gas"][0] is State.OPEN, why=worker.said)
    found = stands(scene)
    assert {name for name, (state, _) in found.items() if state is State.RESOLVED} == {"spam"}
    assert found["nood"][1] is found["gas"][1] is Urgency.KRITIEK
    assert set(scene.queue.taken_by(mute.id)) == {ticket_id(scene.org, n) for n in ("spam", "gas")}
    wait_until(lambda: worker.figure("triage_posts_muted_total") == 2, why=worker.said)
    assert worker.stop() == 0
    assert "winst" not in worker.said()
    Relay(scene.log, scene.queue, [scene.org]).step(now())
    told = [orjson.loads(record.value or b"") for record in scene.log.scan(Topic.OUTCOMES)]
    assert sorted({act["id"]: act["type"] for act in told}.values()) == [
        *("muted", "resolved", "resolved")
    ]
    if scene.redis is None:
        return
    with scene.redis.client() as client:
        client.flushall()
    done = scene.run("rebuild", *scene.store_options)
    assert done.returncode == 0, done.stderr.decode()
    assert stands(scene) == found
    (again,) = scene.queue.mutes(scene.org)
    assert (again.id, again.until) == (mute.id, mute.until)
