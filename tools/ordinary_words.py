"""Make the list of ordinary Dutch words by which bundling tells names from other words.

Usage: ``python tools/ordinary_words.py [POSTS...] > triage/bundle/data/ordinary.txt``. Ordinary is
what stands in lower case inside sentences, at several authors; names seldom do.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Final

import orjson

from triage.bundle.words import plain

#: A word counts from so many occurrences and authors on, most of them in lower case.
LEAST: Final = 3
LEAST_AUTHORS: Final = 2
LOWER_SHARE: Final = 0.9
_INSIDE: Final = re.compile(r"(?<=[\w,;] )[^\W\d_]+(?:'[^\W\d_]+)?")


def main() -> None:
    """Print the words, sorted."""
    paths = [Path(name) for name in sys.argv[1:]] or sorted(Path("models/corpus/posts").iterdir())
    lower: Counter[str] = Counter()
    total: Counter[str] = Counter()
    authors: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths:
        for line in path.read_bytes().splitlines():
            for match in _INSIDE.finditer(orjson.loads(line)["text"]):
                word = plain(match[0])
                total[word] += 1
                lower[word] += match[0].islower()
                authors[word].add(path.stem)
    ordinary = sorted(
        word
        for word, count in total.items()
        if count >= LEAST
        and len(authors[word]) >= LEAST_AUTHORS
        and lower[word] >= LOWER_SHARE * count
    )
    sys.stdout.write("\n".join(ordinary) + "\n")


if __name__ == "__main__":
    main()
