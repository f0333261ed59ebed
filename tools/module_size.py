"""Fail where a module of ours is longer than a reader can hold: 400 lines."""

import sys
from pathlib import Path

LIMIT = 400

long = {
    path: count
    for path in sorted(Path("triage").rglob("*"))
    if path.suffix in {".py", ".lua", ".sql"}
    and (count := len(path.read_text(encoding="utf-8").splitlines())) > LIMIT
}
for path, count in long.items():
    sys.stderr.write(f"{path}: {count} lines, at most {LIMIT}\n")
sys.exit(bool(long))
