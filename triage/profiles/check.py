"""What a profile says but surely did not mean: dead rules, topics and teams left out.

All conditions of a rule are finite once the values that no rule names are taken together: a rule
is a box, a product of sets, and it is dead when the boxes before it cover its own. A place is
tried by the shortest text that has it, since what matches that text matches any longer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from triage.profiles import INTENTS, Problem, Rule, Spec
from triage.profiles.places import mentions
from triage.ticket import URGENCIES

#: Stands for every value that no rule names.
_OTHER: Final = ""
#: Pieces looked at before a rule is taken to be reachable; no honest profile comes near.
_PIECES_LIMIT: Final = 20_000

_Box = tuple[frozenset[Any], ...]


def findings(spec: Spec) -> list[Problem]:
    """Find dead rules, topics without a team and teams without work."""
    space = _Space(spec.rules)
    dead = _dead_rules(space, spec.rules)
    dead_lines = {problem.line for problem in dead}
    live = [rule for rule in spec.rules if rule.line not in dead_lines]
    return [
        *dead,
        *_homeless_topics(space, spec),
        *_idle_teams(spec, live),
    ]


def _dead_rules(space: _Space, rules: Sequence[Rule]) -> list[Problem]:
    dead = []
    for index, rule in enumerate(rules):
        if not rule.sound:
            continue
        earlier = [other for other in rules[:index] if other.sound]
        box = space.box(rule)
        if not space.covered(box, earlier):
            continue
        single = next((other for other in earlier if space.covered(box, [other])), None)
        if not all(box):
            why = "de voorwaarden gaan niet samen"
        elif single:
            why = f'"{single.name}" (regel {single.line}) komt eerder en is ruimer'
        else:
            why = "eerdere regels samen vangen alles al"
        message = f'"{rule.name}" wordt nooit bereikt: {why}'
        dead.append(Problem(line=rule.line, message=message, fatal=False))
    return dead


def _homeless_topics(space: _Space, spec: Spec) -> list[Problem]:
    """Find topics of which a plain, sure post in Dutch meets no rule."""
    line = spec.rules[0].line if spec.rules else 1
    problems = []
    for topic in spec.topics:
        missing = [
            urgency
            for urgency in URGENCIES
            if not space.covered(space.plain(topic, urgency), spec.rules)
        ]
        if missing:
            some = "" if len(missing) == len(URGENCIES) else f" bij {', '.join(missing)}"
            message = f'onderwerp "{topic}" heeft{some} geen team: geen regel past'
            problems.append(Problem(line=line, message=message, fatal=False))
    return problems


def _idle_teams(spec: Spec, live: Sequence[Rule]) -> list[Problem]:
    busy = {spec.fallback, *(rule.team for rule in live)}
    for key in tuple(busy):
        team = spec.teams.get(key)
        if team and not team.hours.always:
            busy.add(team.night_team)
    return [
        Problem(
            line=team.line,
            message=f'team "{team.key}" krijgt nooit werk: geen regel leidt erheen'
            " (alleen met de hand: manual = true)",
            fatal=False,
        )
        for team in spec.teams.values()
        if team.key not in busy and not team.manual
    ]


class _Space:
    """Every kind of post that the rules can tell apart."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        def named(values: chain[str]) -> frozenset[str]:
            return frozenset({_OTHER, *values})

        self.langs = named(chain.from_iterable(r.langs.values for r in rules if r.langs)) | {"nl"}
        self.channels = named(chain.from_iterable(r.channels.values for r in rules if r.channels))
        self.authors = named(chain.from_iterable(r.authors for r in rules))
        #: Each the shortest text with a place; ``_OTHER``: a text without any.
        self.texts = named(chain.from_iterable(r.places for r in rules))
        #: Each stands for the confidences from it to the next.
        self.confidences = frozenset(
            chain([0.0], *((r.min_confidence, r.max_confidence or 0.0) for r in rules))
        )
        self._boxes: dict[int, _Box] = {}

    def box(self, rule: Rule) -> _Box:
        """Give the posts that a rule matches, as one set a condition."""
        if id(rule) not in self._boxes:
            self._boxes[id(rule)] = self._box(rule)
        return self._boxes[id(rule)]

    def _box(self, rule: Rule) -> _Box:
        texts = self.texts
        if rule.places:
            texts = frozenset(text for text in texts if mentions(text, rule.places))
        return (
            rule.subjects,
            rule.urgencies,
            frozenset(INTENTS) if rule.intents is None else rule.intents,
            frozenset(v for v in self.langs if rule.langs is None or v in rule.langs),
            frozenset(v for v in self.channels if rule.channels is None or v in rule.channels),
            rule.authors or self.authors,
            texts,
            frozenset(
                low
                for low in self.confidences
                if rule.min_confidence <= low
                and (rule.max_confidence is None or low < rule.max_confidence)
            ),
        )

    def plain(self, topic: str, urgency: str) -> _Box:
        """Give the sure posts in Dutch on a topic, without anything special, of any intent."""
        return (
            frozenset({(topic, False)}),
            frozenset({urgency}),
            frozenset(INTENTS),
            frozenset({"nl"}),
            frozenset({_OTHER}),
            frozenset({_OTHER}),
            frozenset({_OTHER}),
            frozenset({max(self.confidences)}),
        )

    def covered(self, box: _Box, rules: Sequence[Rule]) -> bool:
        """Say whether every post in a box meets one of the rules."""
        boxes = [self.box(rule) for rule in rules]
        budget = _PIECES_LIMIT
        pieces = [(box, 0)]
        while pieces:
            piece, index = pieces.pop()
            budget -= 1
            if not all(piece):
                continue
            if index == len(boxes) or budget < 0:
                return False
            outside = _without(piece, boxes[index])
            pieces.extend((part, index + 1) for part in outside)
        return True


def _without(box: _Box, other: _Box) -> list[_Box]:
    """Cut a box into what lies outside another."""
    if not all(mine & others for mine, others in zip(box, other, strict=True)):
        return [box]
    parts = []
    for dimension, others in enumerate(other):
        outside = box[dimension] - others
        if outside:
            parts.append((*box[:dimension], outside, *box[dimension + 1 :]))
        inside = box[dimension] & others
        box = (*box[:dimension], inside, *box[dimension + 1 :])
    return parts
