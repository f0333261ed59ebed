"""Rows as JSON Lines, CSV and Parquet; what is written is read back the same."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from triage.errors import Refused
from triage.labels.rows import HEADS, Row

#: The formats, by the ending of a file's name.
FORMATS: Final = ("jsonl", "csv", "parquet")
#: Fields with one value a head; in a table each is a column (``labels.topic``).
_PER_HEAD: Final = ("predicted", "labels", "heads")
#: A cell that begins so would be a formula in a spreadsheet: it gets an apostrophe in front.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")


def format_of(path: Path) -> str:
    """Give the format that a file's name says. Raises Refused."""
    ending = path.suffix.removeprefix(".").lower()
    if ending not in FORMATS:
        raise Refused(f"{path}: kies een naam op {', '.join('.' + name for name in FORMATS)}")
    return ending


def encode(rows: Sequence[Row], kind: str) -> bytes:
    """Give rows as a file. Raises Refused where pyarrow is needed and not there."""
    return _WRITERS[kind](rows)


def read_rows(path: Path) -> list[Row]:
    """Read a file of rows. Raises Refused, which names the file, the row and the field."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from None
    rows: list[Row] = []
    try:
        for data in _READERS[format_of(path)](raw):
            rows.append(Row.from_mapping(data))  # noqa: PERF401 - how far we came is told
    except (ValueError, TypeError) as error:
        reason = "geen geldige JSON" if isinstance(error, json.JSONDecodeError) else str(error)
        raise Refused(f"{path}: rij {len(rows) + 1}: {reason}") from None
    return rows


def flat(row: Row) -> dict[str, Any]:
    """Give a row as one level of columns."""
    columns: dict[str, Any] = {}
    for name, value in row.to_mapping().items():
        if name in _PER_HEAD:
            columns.update({f"{name}.{head}": str(value.get(head, "")) for head in HEADS})
        else:
            columns[name] = value
    return columns


def nested(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Give what ``flat`` took apart."""
    row: dict[str, Any] = {name: {} for name in _PER_HEAD}
    for name, value in columns.items():
        group, _, head = name.partition(".")
        if head and group in _PER_HEAD:
            row[group][head] = value
        else:
            row[name] = value
    return row


# -- JSON Lines ----------------------------------------------------------------------------------


def _to_lines(rows: Sequence[Row]) -> bytes:
    lines = (json.dumps(row.to_mapping(), ensure_ascii=False) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def _from_lines(raw: bytes) -> Iterator[Mapping[str, Any]]:
    # Only a line feed ends a line: texts may hold other marks that Python takes for one.
    for line in raw.decode().split("\n"):
        if line.strip():
            yield json.loads(line)


# -- CSV -----------------------------------------------------------------------------------------


def _to_csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(flat(_EMPTY)), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in flat(row).items()})
    return text.getvalue().encode("utf-8-sig")  # spreadsheets take it for UTF-8 by the mark


def _cell(value: object) -> str:
    text = json.dumps(value) if isinstance(value, bool | float | int) else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _from_csv(raw: bytes) -> Iterator[Mapping[str, Any]]:
    for columns in csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")):
        cells: dict[str, Any] = {
            name: value.removeprefix("'") for name, value in columns.items() if value is not None
        }
        for name in _NOT_TEXT & cells.keys():
            # An empty cell: a person made the file and left the column out.
            cells[name] = json.loads(cells[name]) if cells[name] else None
        yield nested(cells)


# -- Parquet -------------------------------------------------------------------------------------


def _arrow() -> Any:  # noqa: ANN401 - an optional library
    try:
        import pyarrow as pa  # noqa: PLC0415 - large, and only who asks for Parquet needs it
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError:
        raise Refused("Parquet vraagt om pyarrow: pip install 'triage[parquet]'") from None
    del pyarrow
    return pa


def _to_parquet(rows: Sequence[Row]) -> bytes:
    arrow = _arrow()
    kinds = {bool: arrow.bool_(), float: arrow.float64(), int: arrow.int32()}
    schema = arrow.schema(
        [(name, kinds.get(type(v), arrow.string())) for name, v in flat(_EMPTY).items()]
    )
    columns = [{n: v if type(v) in kinds else str(v) for n, v in flat(row).items()} for row in rows]
    sink = io.BytesIO()
    arrow.parquet.write_table(arrow.Table.from_pylist(columns, schema=schema), sink)
    return sink.getvalue()


def _from_parquet(raw: bytes) -> Iterator[Mapping[str, Any]]:
    arrow = _arrow()
    try:
        table = arrow.parquet.read_table(io.BytesIO(raw))
    except arrow.ArrowInvalid:
        message = "geen geldig Parquet"
        raise ValueError(message) from None
    for columns in table.to_pylist():
        yield nested(columns)


_EMPTY: Final = Row(
    id="", org="", text="", channel="", lang="", created_at="", author_group="", thread=""
)
_NOT_TEXT: Final = {name for name, value in flat(_EMPTY).items() if not isinstance(value, str)}
_WRITERS: Final[Mapping[str, Callable[[Sequence[Row]], bytes]]] = {
    "jsonl": _to_lines,
    "csv": _to_csv,
    "parquet": _to_parquet,
}
_READERS: Final[Mapping[str, Callable[[bytes], Iterator[Mapping[str, Any]]]]] = {
    "jsonl": _from_lines,
    "csv": _from_csv,
    "parquet": _from_parquet,
}
