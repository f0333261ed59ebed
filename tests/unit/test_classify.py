"""What the classifier promises of a batch: rows, order, additivity, abstention, raise-only."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from triage.classify import Classifier, default_models_dir, safety
from triage.classify.classifier import AS_IT_IS, confident, softmax
from triage.language import Reader, spans
from triage.post import Post
from triage.reading import Reading
from triage.ticket import Urgency

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MODELS = default_models_dir()
TEXTS = (
    "De container in de Kerkstraat zit al een week vol en het stinkt",
    "Wanneer kan ik mijn paspoort ophalen?",
    "Er is brand in de flat, mensen staan op het balkon!",
    "Bedankt voor de snelle reparatie van de lantaarnpaal",
)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(MODELS / (MODELS / "current").read_text("utf-8").strip())


def posts(*texts: str, org: str = "gemeente") -> list[Post]:
    return [
        Post(id=str(number), text=text, created_at=NOW, channel="x", org=org)
        for number, text in enumerate(texts)
    ]


def test_plain_posts(classifier: Classifier, reader: Reader) -> None:
    """Plain posts get the topics, urgencies and intents that a person would give them."""
    batch = posts(*TEXTS)
    judged = classifier.assess(batch, reader.read(batch))
    assert [a.topic for a in judged[:3]] == ["afval-schoon", "burgerzaken", "crisis-calamiteit"]
    assert judged[2].urgency is Urgency.KRITIEK
    assert (judged[1].intent, judged[3].intent) == ("vraag", "compliment")


def test_a_row_a_post(classifier: Classifier, reader: Reader) -> None:
    """A batch gives as many assessments as posts, whatever they hold, and none for none."""
    batch = posts("", "🔥", "...", TEXTS[0], "\u4e16\u754c", "x" * 50_000)
    assert len(classifier.assess(batch, reader.read(batch))) == len(batch)
    assert classifier.assess([], []) == []


def test_nothing_known_abstains(classifier: Classifier, reader: Reader) -> None:
    """A post without one known feature abstains; so does one of emoji only."""
    batch = posts("", "🔥🔥", "???", "\u4e16\u754c \u548c\u5e73")
    assert [a.abstained for a in classifier.assess(batch, reader.read(batch))] == [True] * 4


def test_batches_do_not_matter(classifier: Classifier, reader: Reader) -> None:
    """A post is judged the same alone and among others, before and after a thousand new words."""
    batch = posts(*TEXTS)
    readings = reader.read(batch)
    together = classifier.assess(batch, readings)
    small = Classifier.load(MODELS / classifier.version)
    noise = posts(*(f"onzin{number} wartaal{number}" for number in range(1_000)))
    small.assess(noise, reader.read(noise))
    for number, post in enumerate(batch):
        (alone,) = small.assess([post], [readings[number]])
        among = together[number]
        assert (alone.topic, alone.urgency, alone.intent) == (
            among.topic,
            among.urgency,
            among.intent,
        )
        assert alone.urgency_p == pytest.approx(among.urgency_p, abs=2e-4)
        assert [r.token for r in alone.reasons] == [r.token for r in among.reasons]


def test_probabilities(classifier: Classifier, reader: Reader) -> None:
    """Topics come best first, three of them, and the urgencies' probabilities sum to one."""
    batch = posts(*TEXTS)
    for judged in classifier.assess(batch, reader.read(batch)):
        shares = [p for _, p in judged.topics]
        assert len(shares) == 3
        assert shares == sorted(shares, reverse=True)
        assert sum(judged.urgency_p) == pytest.approx(1, abs=1e-3)
        assert judged.model == classifier.version


def test_confidence_keeps_the_order() -> None:
    """What the first topic is worth takes its place; ranks stay, and no row holds more than one."""
    shares = softmax(np.random.default_rng(0).normal(0, 3, (500, 21)))
    knots = np.array([[0.0, 0.3, 0.9, 1.0], [0.01, 0.5, 0.8, 0.8]])
    told = confident(shares, knots)
    assert (np.argsort(told, axis=1) == np.argsort(shares, axis=1)).all()
    assert told.sum(axis=1).max() <= 1 + 1e-9
    assert told.max(axis=1) == pytest.approx(np.interp(shares.max(axis=1), *knots))
    assert confident(shares, np.array(AS_IT_IS)) == pytest.approx(shares)


def test_reasons_are_words_of_the_post(classifier: Classifier, reader: Reader) -> None:
    """Reasons name at most five tokens of the post, each with a weight, heaviest first."""
    batch = posts(*TEXTS)
    readings = reader.read(batch)
    for judged, reading in zip(classifier.assess(batch, readings), readings, strict=True):
        weights = [reason.weight for reason in judged.reasons]
        assert 0 < len(weights) <= 5
        assert weights == sorted(weights, reverse=True)
        said = f" {' '.join(reading.tokens)} "
        assert all(f" {reason.token} " in said for reason in judged.reasons)


def test_accounts_sum_to_the_scores(classifier: Classifier, reader: Reader) -> None:
    """Every part of both scores is named at its place in the text, and the parts are the score."""
    batch = posts(*TEXTS, "🙏🏽 Vannacht brand!! #brandgroningen HEEEELP", "", "🔥")
    readings = reader.read(batch)
    scores = classifier.scores(batch, readings)
    judged = classifier.assess(batch, readings)
    for post, reading, row, verdict in zip(batch, readings, scores, judged, strict=True):
        told = classifier.explain(post, reading, verdict, spans(post.text))
        assert told.topic.key == verdict.topic
        assert told.topic.score == pytest.approx(max(row[:21]), abs=1e-4)
        assert told.urgency.score == pytest.approx(row[21 + verdict.urgency.rank], abs=1e-4)
        for account in (told.topic, told.urgency):
            assert sum(p.weight for p in account.pieces) == pytest.approx(account.score, abs=1e-3)
            for piece in account.pieces:
                if piece.start is not None:
                    assert post.text[piece.start : piece.end] == piece.token


def test_unknown_organisation(classifier: Classifier, reader: Reader) -> None:
    """An organisation or channel that the model never saw is judged by the words alone."""
    batch = posts(TEXTS[0], org="nieuw-dorp")
    assert classifier.assess(batch, reader.read(batch))[0].topic == "afval-schoon"


def test_rules_only_raise(
    classifier: Classifier, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the safety rules urgency is never lower than without, and probabilities are the same."""
    batch = posts(*TEXTS, "de co-melder gaat af", "ik wil er niet meer zijn", "gaslucht")
    readings = reader.read(batch)
    with_rules = classifier.assess(batch, readings)
    monkeypatch.setattr(safety, "check", lambda _text: None)
    without = classifier.assess(batch, readings)
    for raised, plain in zip(with_rules, without, strict=True):
        assert raised.urgency.rank <= plain.urgency.rank
        assert raised.urgency_p == plain.urgency_p
        assert (raised.safety_rule is None) == (raised.urgency is plain.urgency)


def test_pictures_change_nothing(classifier: Classifier, reader: Reader) -> None:
    """Emoji glued to words change neither topic, urgency nor explanation."""
    plain = posts(*TEXTS)
    glued = posts(*(text.replace(" ", "🙏🏽 ") + "👩‍👧" for text in TEXTS))
    for bare, decked in zip(
        classifier.assess(plain, reader.read(plain)),
        classifier.assess(glued, reader.read(glued)),
        strict=True,
    ):
        assert (bare.topics, bare.urgency, bare.reasons) == (
            decked.topics,
            decked.urgency,
            decked.reasons,
        )


def test_incomplete_reading_goes_to_the_rules(classifier: Classifier) -> None:
    """The rules read the text, not the tokens, so what was not read in full still counts."""
    (post,) = posts("gaslucht in de flat")
    (judged,) = classifier.assess([post], [Reading(tokens=("hallo",), complete=False)])
    assert (judged.urgency, judged.safety_rule) == (Urgency.KRITIEK, "nl/gas")


def test_reasons_are_the_heaviest_parts(classifier: Classifier, reader: Reader) -> None:
    """Reasons are the heaviest parts of the exact account; of the urgency, where it cannot wait."""
    urgent = Post(id="1", text="Er ligt iemand in het water bij de brug, snel!", created_at=NOW)
    calm = Post(id="2", text="Wanneer wordt het grofvuil opgehaald?", created_at=NOW)
    posts = [urgent, calm, urgent]
    readings = reader.read(posts)
    judged = classifier.assess(posts, readings)
    assert judged[0].urgency.rank < Urgency.NORMAAL.rank
    assert judged[1].urgency.rank >= Urgency.NORMAAL.rank
    assert judged[1].urgency_reasons == ()
    assert judged[0] == judged[2]
    for said in judged[:2]:
        for reasons in (said.reasons, said.urgency_reasons):
            weights = [reason.weight for reason in reasons]
            assert weights == sorted(weights, reverse=True)
            assert all(weight > 0 for weight in weights)
    assert judged[0].urgency_reasons
    assert judged[0].reasons != judged[0].urgency_reasons
