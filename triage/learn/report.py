"""The report of an evaluation: one HTML page that needs nothing beside it, and the same as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from html import escape
from typing import Any, Final

from triage.labels.masking import Masker
from triage.learn import figures
from triage.learn.evaluate import Measured
from triage.learn.figures import Pair
from triage.learn.svg import Axis, Line, chart, matrix
from triage.models.gate import BARS, Verdict
from triage.ticket import Urgency

#: How many mistakes of a kind are shown.
WORST: Final = 15
#: A curve is drawn by no more points than this.
_POINTS: Final = 200

Curve = Sequence[tuple[int, Mapping[str, float]]]

_MEANINGS: Final = (
    ("topic_first", "onderwerp: eerste keus is een van de labels"),
    ("topic_in_three", "onderwerp: een van de eerste drie is goed"),
    ("topic_macro_f1", "macro-F1 van het eerste onderwerp"),
    ("coverage", "deel dat boven de drempel ligt (dekking)"),
    ("topic_first_when_sure", "onderwerp goed, boven de drempel"),
    ("topic_first_at_coverage_80", "onderwerp goed, op de zekerste 80%"),
    ("topic_calibration_error", "ijkfout van het onderwerp"),
    ("urgency_kappa", "urgentie: kwadratisch gewogen kappa"),
    ("urgency_calibration_error", "ijkfout van de urgentie"),
    ("critical_recall", "kritiek: gevonden, met veiligheidsregels"),
    ("critical_recall_low", "kritiek gevonden: ondergrens (95%)"),
    ("critical_recall_high", "kritiek gevonden: bovengrens (95%)"),
    ("critical_precision", "kritiek: terecht zo genoemd"),
    ("critical_precision_at_recall_95", "kritiek: terecht, als 95% gevonden wordt"),
    ("critical_false_per_1000", "kritiek ten onrechte, per 1000 berichten"),
    ("intent", "bedoeling goed"),
)


def as_json(
    measured: Measured, *, at: datetime, curve: Curve = (), verdict: Verdict | None = None
) -> dict[str, Any]:
    """Give an evaluation as JSON-ready values; no texts."""
    pairs = measured.pairs
    return {
        "model": measured.name,
        "at": at.isoformat(),
        "how": measured.how,
        "posts": len(pairs),
        "critical_posts": measured.critical,
        "figures": dict(measured.figures),
        "per_topic": [asdict(row) for row in figures.per_topic(pairs)],
        "per_author": [asdict(row) for row in figures.per_author(pairs)],
        "confusion": [
            {"meant": meant, "said": said, "count": count}
            for (meant, said), count in sorted(figures.confusion(pairs).items())
        ],
        "reliability": {
            "topic": [asdict(b) for b in figures.topic_bins(pairs)],
            "urgency": [asdict(b) for b in figures.urgency_bins(pairs)],
        },
        "critical": [
            {"bar": round(bar, 4), "recall": round(recall, 4), "precision": round(precision, 4)}
            for bar, recall, precision in _thin(figures.critical_curve(pairs))
        ],
        "learning_curve": [{"posts": posts, **values} for posts, values in curve],
        "gate": None if verdict is None else {**asdict(verdict), "passed": verdict.passed},
    }


def as_html(
    measured: Measured,
    masker: Masker,
    *,
    at: datetime,
    curve: Curve = (),
    verdict: Verdict | None = None,
) -> str:
    """Give an evaluation as a page; texts of mistakes are masked."""
    pairs = measured.pairs
    sections = [
        _section("Kerncijfers", _figures(measured.figures)),
        *([_section("Poort", _gate(verdict))] if verdict else []),
        _section("Kritieke berichten", _critical(pairs)),
        _section("Zekerheid", _reliability(pairs) + _coverage(pairs)),
        _section("Per onderwerp", _topics(pairs)),
        _section("Per groep schrijvers", _authors(pairs)),
        _section("Verwisselde onderwerpen", _confusion(pairs)),
        *([_section("Leercurve", _curve(curve))] if curve else []),
        _section("Ergste fouten", _worst(pairs, masker)),
    ]
    return _PAGE.format(
        name=escape(measured.name),
        how=escape(measured.how),
        at=f"{at:%Y-%m-%d %H:%M}",
        posts=len(pairs),
        critical=measured.critical,
        body="".join(sections),
    )


# -- sections ------------------------------------------------------------------------------------


def _figures(values: Mapping[str, float]) -> str:
    rows = [
        (meaning, f"{values[name]:.1f}" if name.endswith("per_1000") else f"{values[name]:.3f}")
        for name, meaning in _MEANINGS
    ]
    return _table(("cijfer", "waarde"), rows)


def _gate(verdict: Verdict) -> str:
    meanings = {bar.figure: bar.meaning for bar in BARS}
    rows = [
        (meanings[name], f"{old:.3f}", f"{new:.3f}") for name, (old, new) in verdict.figures.items()
    ]
    said = "Mag live." if verdict.passed else "Mag niet live:"
    why = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.refusals)
    return (
        f"<p>Tegen {escape(verdict.current)}, op dezelfde berichten. {said}</p>"
        f"{f'<ul>{why}</ul>' if why else ''}{_table(('cijfer', 'nu', 'kandidaat'), rows)}"
    )


def _critical(pairs: Sequence[Pair]) -> str:
    curve = [(recall, precision) for _, recall, precision in _thin(figures.critical_curve(pairs))]
    if not curve:
        return "<p>Er is geen enkel kritiek bericht om op te meten.</p>"
    at95 = figures.precision_at(pairs, figures.RECALL)
    told = f"Bij 95% gevonden is {at95:.0%} van wat kritiek heet terecht."
    drawn = chart(
        "Kritiek: gevonden tegen terecht",
        told,
        [Line(name="kritiek", points=curve)],
        Axis(name="deel van de kritieke berichten dat gevonden wordt"),
        Axis(name="deel dat terecht kritiek heet"),
    )
    return _figure(drawn, told)


def _reliability(pairs: Sequence[Pair]) -> str:
    topic, urgency = figures.topic_bins(pairs), figures.urgency_bins(pairs)
    lines = [
        Line(name="onderwerp", points=[(b.confidence, b.right) for b in topic], dots=True),
        Line(name="urgentie", points=[(b.confidence, b.right) for b in urgency], dots=True),
        Line(name="zo zeker als juist", points=[(0, 0), (1, 1)]),
    ]
    told = "Op de stippellijn is het model precies zo vaak juist als het zegt."
    drawn = chart(
        "Hoe zeker tegen hoe vaak juist",
        told,
        lines,
        Axis(name="hoe zeker het model is"),
        Axis(name="hoe vaak het juist is"),
    )
    rows = [
        (name, f"{b.confidence:.2f}", f"{b.right:.2f}", str(b.count))
        for name, bins in (("onderwerp", topic), ("urgentie", urgency))
        for b in bins
    ]
    table = _table(("wat", "zeker", "juist", "berichten"), rows)
    return _figure(drawn, told) + _details("Als tabel", table)


def _coverage(pairs: Sequence[Pair]) -> str:
    curve = _thin(figures.coverage_curve(pairs))
    sure = [pair for pair in pairs if not pair[1].abstained]
    part = len(sure) / len(pairs)
    told = (
        f"Op de zekerste 80% is {figures.accuracy_at(pairs, figures.COVERAGE):.0%} juist. "
        f"De drempel van het model laat {part:.0%} door; de rest gaat naar het vangnetteam."
    )
    drawn = chart(
        "Dekking tegen juistheid",
        told,
        [Line(name="onderwerp", points=curve)],
        Axis(name="deel van de berichten, zekerste eerst"),
        Axis(name="deel waarvan het onderwerp juist is"),
    )
    return _figure(drawn, told)


def _topics(pairs: Sequence[Pair]) -> str:
    rows = [
        (
            row.topic,
            str(row.posts),
            *(f"{share:.2f}" for share in (row.precision, row.recall, row.f1)),
            *(f"{share:.2f}" for share in (row.sure, row.right_when_sure)),
        )
        for row in figures.per_topic(pairs)
    ]
    told = (
        "onderwerp",
        "berichten",
        "precisie",
        "gevonden",
        "F1",
        "boven de drempel",
        "juist daar",
    )
    return _table(told, rows)


def _authors(pairs: Sequence[Pair]) -> str:
    rows = [
        (
            row.author,
            str(row.posts),
            f"{row.topic_first:.2f}",
            f"{row.urgency_kappa:.2f}",
            f"{row.critical_recall:.2f} ({row.critical_recall_low:.2f}-"
            f"{row.critical_recall_high:.2f}) van {row.critical}"
            if row.critical
            else "geen",
            f"{row.intent:.2f}",
        )
        for row in figures.per_author(pairs)
    ]
    if not rows:
        return "<p>Geen groep schreef genoeg berichten om op te meten.</p>"
    return _table(
        ("groep", "berichten", "onderwerp", "kappa", "kritiek gevonden (95%)", "bedoeling"), rows
    )


def _confusion(pairs: Sequence[Pair]) -> str:
    counts = figures.confusion(pairs)
    names = [row.topic for row in figures.per_topic(pairs)]
    totals = {name: sum(n for (meant, _), n in counts.items() if meant == name) for name in names}
    cells = [
        [counts.get((meant, said), 0) / totals[meant] if totals[meant] else 0.0 for said in names]
        for meant in names
    ]
    wrong = sorted(
        ((count, meant, said) for (meant, said), count in counts.items() if meant != said),
        key=lambda item: (-item[0], item[1], item[2]),
    )
    told = "Rijen: wat het was; kolommen: wat het model zei; getallen: procenten van de rij."
    table = _table(("was", "genoemd", "keer"), [(m, s, str(count)) for count, m, s in wrong[:20]])
    return _figure(matrix("Verwisselde onderwerpen", told, names, cells), told) + _details(
        "De meeste verwisselingen als tabel", table
    )


def _curve(curve: Curve) -> str:
    most = max(posts for posts, _ in curve)
    shown = (
        ("topic_first", "onderwerp"),
        ("topic_macro_f1", "macro-F1"),
        ("critical_recall", "kritiek gevonden"),
    )
    lines = [
        Line(name=name, points=[(posts, values[key]) for posts, values in curve], dots=True)
        for key, name in shown
    ]
    (_, before), (_, last) = (curve[-2], curve[-1]) if len(curve) > 1 else (curve[0], curve[0])
    gain = last["topic_first"] - before["topic_first"]
    told = f"De laatste stap meer berichten bracht {gain:+.3f} voor het onderwerp."
    drawn = chart(
        "Leercurve",
        told,
        lines,
        Axis(name="berichten om van te leren", high=most, style=".0f"),
        Axis(name="cijfer"),
    )
    rows = [(str(posts), *(f"{values[key]:.3f}" for key, _ in shown)) for posts, values in curve]
    table = _table(("berichten", *(name for _, name in shown)), rows)
    return _figure(drawn, told) + _details("Als tabel", table)


def _worst(pairs: Sequence[Pair], masker: Masker) -> str:
    missed = [
        (said.urgency_p[0], example, said)
        for example, said in pairs
        if example.urgency == Urgency.KRITIEK and said.urgency is not Urgency.KRITIEK
    ]
    false = [
        (-said.urgency_p[0], example, said)
        for example, said in pairs
        if example.urgency != Urgency.KRITIEK and said.urgency is Urgency.KRITIEK
    ]
    topic = [
        (-said.confidence, example, said)
        for example, said in pairs
        if said.topic not in example.topics
    ]
    parts = []
    for title, found in (
        ("Kritiek, niet gevonden", missed),
        ("Ten onrechte kritiek", false),
        ("Zeker van het verkeerde onderwerp", topic),
    ):
        found.sort(key=lambda item: (item[0], item[1].post.id))
        rows = [
            (
                masker.mask(example.post.text),
                f"{', '.join(example.topics)} · {example.urgency}",
                f"{said.topic} · {said.urgency.value}",
                f"{said.confidence:.2f} · {said.urgency_p[0]:.2f}",
            )
            for _, example, said in found[:WORST]
        ]
        table = _table(("bericht", "was", "genoemd", "zeker · kritiek"), rows)
        parts.append(f"<h3>{title} ({len(found)})</h3>{table if rows else '<p>Geen.</p>'}")
    return "".join(parts)


# -- HTML ----------------------------------------------------------------------------------------


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _figure(drawn: str, told: str) -> str:
    return f"<figure>{drawn}<figcaption>{escape(told)}</figcaption></figure>"


def _details(title: str, body: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        f"{''.join(f'<td>{escape(cell)}</td>' for cell in row[1:])}</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _thin(points: Sequence[Any]) -> list[Any]:
    """Take every so manieth point, and always the last."""
    step = max(1, len(points) // _POINTS)
    kept = list(points[::step])
    if points and kept[-1] is not points[-1]:
        kept.append(points[-1])
    return kept


_PAGE: Final = """<!doctype html>
<html lang="nl"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evaluatie van {name}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem;
  padding: 0 1rem; color: #1a1a1a; background: #fff }}
table {{ border-collapse: collapse; margin: 1rem 0 }}
th, td {{ text-align: left; padding: .25rem .75rem; border-bottom: 1px solid #ccc;
  vertical-align: top }}
tbody th {{ font-weight: normal }}
td {{ font-variant-numeric: tabular-nums }}
figure {{ margin: 1rem 0; overflow-x: auto }}
svg {{ max-width: 100%; height: auto }}
figcaption {{ color: #444 }}
summary {{ cursor: pointer; text-decoration: underline }}
</style></head><body><main>
<h1>Evaluatie van {name}</h1>
<p>{posts} berichten, waarvan {critical} kritiek ({how}). Gemaakt op {at}.</p>
{body}</main></body></html>
"""
