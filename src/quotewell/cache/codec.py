"""Records as rows of columns and as msgpack, for every level that leaves the process.

What is stored of a record are its fields but for the bookkeeping of the memory level. As a row, the failure
is flattened into columns of its own (`failure_kind`, `failure_reason` …), so that a person can query them,
and dividend events are one column of JSON. As msgpack, such a row is an array; new fields come last, so that
an older and a newer version can share a server.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from sys import intern
from typing import Any, Literal

import msgspec

from quotewell.errors import UsageError
from quotewell.records import RECORD_TYPES, DividendEvent, Failure, Record, Result

__all__ = [
    "FAILURE_COLUMNS",
    "RESULT_PREFIX",
    "STATE_COLUMNS",
    "Conversion",
    "RowReader",
    "RowWriter",
    "bare",
    "encode",
    "failure_row",
    "older_or_newer",
    "read_with_state",
    "record_type",
    "row_decoder",
    "row_reader",
    "row_writer",
    "set_state",
    "stored_fields",
    "value_columns",
]

RESULT_PREFIX = "result:"
FAILURE_COLUMNS = tuple(f"failure_{field}" for field in Failure.__struct_fields__)
STATE_COLUMNS = ("invalidated", *FAILURE_COLUMNS)
"""What few rows have: a soft invalidation or a failure."""

RowReader = Callable[[Iterable[Sequence[Any]], Mapping[str, str]], dict[str, Record]]
"""Makes records of the rows whose key is wanted; their keys are the texts that `wanted` maps to."""
RowWriter = Callable[[Iterable[Record], int, str], list[tuple[Any, ...]]]
"""Makes a row of each record's values, followed by a revision, and by a namespace for results."""
Conversion = Callable[[Any], Any]
"""Of a value on its way to or from a column of texts."""

_NOT_STORED = ("fresh_until", "grace", "hits", "provenance", "value")
_EVENTS = "events"
_ARGUMENTS = {
    "symbol": "key",
    "fetched_at": "same",
    _EVENTS: f"events_of({_EVENTS}) if {_EVENTS} else ()",
}
"""What a record is made with, where that is not just what is in the column."""
_FEW_VALUES = frozenset(
    {
        *("source", "currency", "exchange", "type", "market_state", "time_zone", "sector", "delay"),
        *("method", "benchmark", "window_start", "window_end", "n"),
    }
)
"""Columns in which so few values occur that each is kept once in memory."""
_MOST_SHARED = 10_000
_NUMBERS = frozenset({float, int, type(None)})


def record_type(table: str) -> type[Record]:
    """The type of a table's records.

    Raises:
        UsageError: There is no such table.
    """
    found = Result if table.startswith(RESULT_PREFIX) else RECORD_TYPES.get(table)
    if found is None:
        known = ", ".join(RECORD_TYPES)
        raise UsageError(f"no table {table!r}", hint=f"one of {known}, or {RESULT_PREFIX}<namespace>")
    return found


def stored_fields(kind: type[Record]) -> tuple[str, ...]:
    """The fields of a record type that levels keep."""
    return tuple(field for field in kind.__struct_fields__ if field not in _NOT_STORED)


def value_columns(kind: type[Record]) -> tuple[str, ...]:
    """The columns that a put writes: key, provenance and values, without failure and soft invalidation."""
    return tuple(field for field in stored_fields(kind) if field not in ("invalidated", "failure"))


def bare(record: Record) -> Record:
    """A copy of `record` without the memory level's bookkeeping."""
    copy: Record = record.__copy__()  # type: ignore[attr-defined]  # left out of msgspec's stubs
    copy.fresh_until = copy.grace = 0.0
    copy.hits = 0
    copy.provenance = None
    if isinstance(copy, Result):
        copy.value = None
    return copy


# ------------------------------------------------------------------------------------------------ msgpack


def encode(records: Sequence[Record]) -> list[bytes]:
    """The values of records of one type, each as a row in msgpack; their state is the level's to keep."""
    if not records:
        return []
    kind = type(records[0])
    width = len(value_columns(kind))
    return [msgspec.msgpack.encode(row[:width]) for row in row_writer(kind)(records, 0, "")]


def row_decoder(kind: type[Record]) -> Callable[[bytes], Sequence[Any]]:
    """What makes a row of what `encode` made; raises `msgspec.DecodeError` when it is not quite that.

    `older_or_newer` may then find one in it.
    """
    return _row_types(kind)[1]


def older_or_newer(kind: type[Record], blob: bytes) -> Sequence[Any]:
    """A row of one with fewer columns, of an earlier version, or with more, of a later one.

    Raises:
        msgspec.DecodeError: It is none.
    """
    row = msgspec.msgpack.decode(blob, type=list[Any])
    width = len(value_columns(kind))
    adapted: Sequence[Any] = msgspec.convert((row + [None] * width)[:width], _row_types(kind)[0])
    return adapted


@functools.cache
def _row_types(kind: type[Record]) -> tuple[Any, Callable[[bytes], Sequence[Any]]]:
    hints = typing.get_type_hints(kind)
    types = tuple((str if column == _EVENTS else hints[column]) | None for column in value_columns(kind))
    row = tuple[types]  # type: ignore[valid-type]
    return row, msgspec.msgpack.Decoder(row).decode


# --------------------------------------------------------------------------------------------------- rows
#
# The functions that turn rows into records and back are written out as Python text, once for each record
# type: a loop over column names would take longer than SQLite takes to read the columns.


@functools.cache
def row_reader(
    kind: type[Record],
    *,
    text: Conversion | None = None,
    note: Callable[[Record, Any], None] | None = None,
    unsure: bool = False,
) -> RowReader:
    """A function that makes records of rows of `value_columns`.

    Args:
        kind: What records.
        text: What texts become but for keys, which `wanted` maps.
        note: Called with a record and what stands in one more column, where that is not null.
        unsure: Whether damage may have put anything into a row: then it raises `msgspec.ValidationError`
            where a text stands in the place of a number.
    """
    columns = value_columns(kind)
    texts = _text_fields(kind) if text is not None else frozenset()
    flags = {field for field, hint in typing.get_type_hints(kind).items() if hint is bool}
    shared = [column for column in columns if column in _FEW_VALUES]
    arguments = ", ".join(
        f"known[{column}]"
        if column in shared
        else f"text({column})"
        if column in texts - _ARGUMENTS.keys()
        else f"{column} == 1"  # SQLite has whole numbers for them; null where its column came later
        if column in flags
        else _ARGUMENTS.get(column, column)
        for column in columns
    )
    lines = [
        "def read(rows, wanted):",
        "    records = {}",
        "    same = None",
        f"    for {', '.join(columns)}{'' if note is None else ', noted'} in rows:",
        "        key = wanted.get(symbol)",
        "        if key is None:",
        "            continue",
        "        if fetched_at != same:",
        "            same = fetched_at",
        *(
            f"        if typed({column}) not in numbers: raise wrong"
            for column in (_told_by(kind) if unsure else ())
        ),
        "        try:",
        f"            records[key] = kind({arguments})",
        "        except KeyError:",
        "            if len(known) > most:",
        "                known.clear()",
        "            known[None] = None",
        *(
            f"            known.setdefault({column}, {f'text({column})' if column in texts else column})"
            for column in shared
        ),
        f"            records[key] = kind({arguments})",
        *(() if note is None else ("        if noted is not None:", "            note(records[key], noted)")),
        "    return records",
    ]
    names_used: dict[str, Any] = {
        "kind": kind,
        "text": text,
        "note": note,
        "known": {},
        "most": _MOST_SHARED,
        "numbers": _NUMBERS,
        "typed": type,  # which is the name of a column, too
        "wrong": msgspec.ValidationError("a text or bytes in the place of a number"),
        "events_of": msgspec.json.Decoder(tuple[DividendEvent, ...]).decode,
    }
    function: RowReader = _compiled(lines, "read", names_used)
    return function


def _told_by(kind: type[Record]) -> list[str]:
    """Columns of numbers that are looked at in each row where anything may be in them.

    The times that freshness rests on and the first of the values; to look at all would take too long.
    """
    first = value_columns(kind)[len(value_columns(Record))]
    is_number = typing.get_type_hints(kind)[first] == float | None
    return ["fetched_at", "as_of", *([first] if is_number else [])]


def read_with_state(
    kind: type[Record], rows: Iterable[Sequence[Any]], wanted: Mapping[str, str]
) -> dict[str, Record]:
    """Records of rows that have `STATE_COLUMNS` behind `value_columns`."""
    width = len(value_columns(kind))
    found = list(rows)
    records = row_reader(kind, unsure=True)((row[:width] for row in found), wanted)
    for row in found:
        record = records.get(row[0])
        if record is not None:
            set_state(record, *row[width:])
    return records


@functools.cache
def row_writer(kind: type[Record], *, text: Conversion | None = None) -> RowWriter:
    """A function that makes a row, in the order of `value_columns`, of each record.

    Args:
        kind: What records.
        text: What texts become, keys among them.
    """
    texts = _text_fields(kind) if text is not None else frozenset()
    values = ", ".join(
        f"events_text(r.{column}) if r.{column} else None"
        if column == _EVENTS
        else f"text(r.{column})"
        if column in texts
        else f"r.{column}"
        for column in value_columns(kind)
    )
    tail = "rev, namespace" if kind is Result else "rev"
    lines = ["def write(records, rev, namespace):", f"    return [({values}, {tail}) for r in records]"]
    function: RowWriter = _compiled(lines, "write", {"events_text": _events_text, "text": text})
    return function


def _text_fields(kind: type[Record]) -> frozenset[str]:
    """Fields that hold a text, or None."""
    hints = typing.get_type_hints(kind)
    return frozenset(field for field in value_columns(kind) if _is_text(hints[field]))


def _is_text(hint: Any) -> bool:
    if typing.get_origin(hint) is Literal:
        return True
    return hint is str or any(
        _is_text(argument) for argument in typing.get_args(hint) if argument is not hint
    )


def failure_row(failure: Failure) -> tuple[Any, ...]:
    """The values of `FAILURE_COLUMNS`."""
    return msgspec.structs.astuple(failure)


def set_state(record: Record, invalidated: int, kind: str | None, *failure: Any) -> None:
    """Set what `STATE_COLUMNS` say."""
    record.invalidated = bool(invalidated)
    if kind is not None:
        reason, source, *rest = failure
        record.failure = Failure(intern(kind), reason, intern(source), *rest)  # type: ignore[arg-type]


def _events_text(events: tuple[DividendEvent, ...]) -> str:
    return msgspec.json.encode(events).decode()


def _compiled(lines: Sequence[str], name: str, names: dict[str, Any]) -> Any:
    exec("\n".join(lines), names)  # noqa: S102  the text is made of the record types' own field names
    return names[name]
