"""Figures as inline SVG: no script, no font, no file beside the page.

Each says in words, for who cannot see it, what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 460
_HEIGHT: Final = 320
_LEFT: Final = 56
_BOTTOM: Final = 46
_TOP: Final = 14
_RIGHT: Final = 16
#: Told apart by form as well as by colour; dark enough on white (WCAG AA).
_COLOURS: Final = ("#154273", "#a90061", "#275937")
_DASHES: Final = ("", "6 4", "2 3")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a chart: its name and its points (x, y)."""

    name: str
    points: Sequence[Point]
    #: A dot on each point.
    dots: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis: what it shows, from where to where."""

    name: str
    low: float = 0.0
    high: float = 1.0
    #: How a value is written.
    style: str = ".1f"


def chart(title: str, told: str, lines: Sequence[Line], x: Axis, y: Axis) -> str:
    """Draw lines over two axes; ``told`` says in words what they show."""
    parts = [_opening(title, told, _WIDTH, _HEIGHT), _grid(x, y)]
    for number, line in enumerate(lines):
        colour, dash = _COLOURS[number % 3], _DASHES[number % 3]
        at = [(_x(px, x), _y(py, y)) for px, py in line.points]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in at)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"'
            f' stroke-dasharray="{dash}"/>'
        )
        if line.dots:
            parts += [
                f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{colour}"/>' for px, py in at
            ]
        if len(lines) > 1:
            parts.append(_legend(number, line.name, colour, dash))
    return "".join([*parts, "</svg>"])


def matrix(title: str, told: str, names: Sequence[str], cells: Sequence[Sequence[float]]) -> str:
    """Draw shares (0 to 1) of rows as a grid of shades, each with its number of per cent."""
    size, left, top = 26, 190, 150
    width, height = left + size * len(names) + 10, top + size * len(names) + 10
    parts = [_opening(title, told, width, height)]
    for number, name in enumerate(names):
        middle = size * number + size / 2
        parts.append(
            f'<text x="{left - 8}" y="{top + middle + 4:.0f}" text-anchor="end">'
            f"{escape(name)}</text>"
            f'<text transform="translate({left + middle + 4:.0f},{top - 8}) rotate(-60)">'
            f"{escape(name)}</text>"
        )
    for row, shares in enumerate(cells):
        for column, share in enumerate(shares):
            if not share:
                continue
            # From white to dark blue; the number turns white where it would be lost.
            shade = "#fff" if share > 0.45 else "#1a1a1a"  # noqa: PLR2004 - where contrast turns
            parts.append(
                f'<rect x="{left + size * column}" y="{top + size * row}" width="{size}"'
                f' height="{size}" fill="#154273" fill-opacity="{share:.2f}" stroke="#ccc"/>'
                f'<text x="{left + size * column + size / 2:.0f}" y="{top + size * row + 17}"'
                f' text-anchor="middle" font-size="10" fill="{shade}">{share * 100:.0f}</text>'
            )
    return "".join([*parts, "</svg>"])


def _opening(title: str, told: str, width: int, height: int) -> str:
    return (
        f'<svg role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="12"'
        f' fill="#1a1a1a"><title>{escape(title)}</title><desc>{escape(told)}</desc>'
    )


def _x(value: float, axis: Axis) -> float:
    span = (axis.high - axis.low) or 1.0
    return _LEFT + (value - axis.low) / span * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, axis: Axis) -> float:
    span = (axis.high - axis.low) or 1.0
    return _HEIGHT - _BOTTOM - (value - axis.low) / span * (_HEIGHT - _BOTTOM - _TOP)


def _grid(x: Axis, y: Axis) -> str:
    parts = []
    for step in range(6):
        vx, vy = x.low + (x.high - x.low) * step / 5, y.low + (y.high - y.low) * step / 5
        px, py = _x(vx, x), _y(vy, y)
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        parts.append(
            f'<line x1="{_LEFT}" x2="{right}" y1="{py:.1f}" y2="{py:.1f}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 6}" y="{py + 4:.1f}" text-anchor="end">{vy:{y.style}}</text>'
            f'<line x1="{px:.1f}" x2="{px:.1f}" y1="{_TOP}" y2="{bottom}" stroke="#ddd"/>'
            f'<text x="{px:.1f}" y="{bottom + 16}" text-anchor="middle">{vx:{x.style}}</text>'
        )
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    parts.append(
        f'<text x="{(_LEFT + _WIDTH) / 2:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">'
        f'{escape(x.name)}</text><text transform="translate(14,{middle:.0f}) rotate(-90)"'
        f' text-anchor="middle">{escape(y.name)}</text>'
    )
    return "".join(parts)


def _legend(number: int, name: str, colour: str, dash: str) -> str:
    y = _HEIGHT - _BOTTOM - 14 - 16 * number
    x = _WIDTH - 170
    return (
        f'<line x1="{x}" x2="{x + 26}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"'
        f' stroke-dasharray="{dash}"/><text x="{x + 32}" y="{y + 4}">{escape(name)}</text>'
    )
