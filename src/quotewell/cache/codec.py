"""Records as rows of columns and as msgpack, for every level that leaves the process.

What is stored of a record are its fields but for the bookkeeping of the memory level. As a row, the failure
is flattened into columns of its own (`failure_kind`, `failure_reason` …), so that a person can query them,
and dividend events are one column of JSON. As msgpack, a record is a map of the fields that are not None, so
that an older and a newer version can share a server.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Iterable, Sequence
from operator import attrgetter
from sys import intern
from typing import Any

import msgspec

from quotewell.errors import UsageError
from quotewell.records import RECORD_TYPES, DividendEvent, Failure, Record, Result

__all__ = [
    "FAILURE_COLUMNS",
    "RESULT_PREFIX",
    "STATE_COLUMNS",
    "RowReader",
    "RowWriter",
    "bare",
    "decode",
    "encode",
    "failure_row",
    "record_type",
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

RowReader = Callable[[Iterable[Sequence[Any]], Container[str]], dict[str, Record]]
"""Makes records of the rows whose key is wanted."""
RowWriter = Callable[[Iterable[Record], int, str], list[tuple[Any, ...]]]
"""Makes a row of each record's values, followed by a revision, and by a namespace for results."""

_NOT_STORED = ("fresh_until", "hits", "provenance", "value")
_BOOLEANS = frozenset({"unverified"})
_EVENTS = "events"
_FEW_VALUES = frozenset(
    {"source", "currency", "exchange", "type", "market_state", "time_zone", "sector", "method", "benchmark"}
)
"""Text columns in which so few values occur that each is kept once in memory."""


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
    copy.fresh_until = 0.0
    copy.hits = 0
    copy.provenance = None
    if isinstance(copy, Result):
        copy.value = None
    return copy


# ------------------------------------------------------------------------------------------------ msgpack


def encode(record: Record) -> bytes:
    """One record as msgpack; `Result.blob` goes along as it is."""
    names = stored_fields(type(record))
    values = _getter(type(record))(record)
    return msgspec.msgpack.encode(
        {name: value for name, value in zip(names, values, strict=True) if value is not None}
    )


def decode(table: str, blob: bytes) -> Record | None:
    """The record that `encode` made `blob` of; None, a miss, when it is not one of `table`."""
    try:
        record = _decoder(record_type(table)).decode(blob)
    except msgspec.DecodeError:
        return None
    return bare(record)


@functools.cache
def _getter(kind: type[Record]) -> Callable[[Record], tuple[Any, ...]]:
    return attrgetter(*stored_fields(kind))


@functools.cache
def _decoder(kind: type[Record]) -> msgspec.msgpack.Decoder[Record]:
    return msgspec.msgpack.Decoder(kind)


# --------------------------------------------------------------------------------------------------- rows
#
# The functions that turn rows into records and back are written out as Python text, once for each record
# type: to construct a keyword-only struct of 17 fields from arguments takes 0.7 µs, to copy a blank one and
# set its attributes 0.4 µs, and that much counts beside the 1.4 µs in which SQLite reads the columns.


@functools.cache
def row_reader(kind: type[Record], *, state: bool) -> RowReader:
    """A function that makes records of rows.

    Args:
        kind: The record type.
        state: Whether rows have `STATE_COLUMNS` behind `value_columns`.
    """
    columns = (*value_columns(kind), *(STATE_COLUMNS if state else ()))
    shared = [column for column in columns if column in _FEW_VALUES]
    lines = ["def read(rows, wanted):", "    records = {}", "    template = blank()"]
    lines += ["    copy = template.__copy__"]
    lines += [f"    last_{column} = None" for column in shared]
    lines += [
        f"    for {', '.join(columns)} in rows:",
        "        if symbol not in wanted:",
        "            continue",
    ]
    for column in shared:
        lines += [f"        if {column} != last_{column}:"]
        lines += [f"            last_{column} = template.{column} = {column} and intern({column})"]
    lines += ["        records[symbol] = record = copy()"]
    for column in value_columns(kind):
        if column in _BOOLEANS:
            lines += [f"        if {column}:", f"            record.{column} = True"]
        elif column == _EVENTS:
            lines += [f"        if {column}:", f"            record.{column} = events_of({column})"]
        elif column not in shared:
            lines += [f"        if {column} is not None:", f"            record.{column} = {column}"]
    if state:
        lines += [f"        set_state(record, {', '.join(STATE_COLUMNS)})"]
    lines += ["    return records"]
    names_used = {
        "blank": kind(symbol="").__copy__,  # type: ignore[attr-defined]  # left out of msgspec's stubs
        "intern": intern,
        "events_of": msgspec.json.Decoder(tuple[DividendEvent, ...]).decode,
        "set_state": set_state,
    }
    function: RowReader = _compiled(lines, "read", names_used)
    return function


@functools.cache
def row_writer(kind: type[Record]) -> RowWriter:
    """A function that makes a row, in the order of `value_columns`, of each record."""
    values = ", ".join(
        f"events_text(r.{column}) if r.{column} else None" if column == _EVENTS else f"r.{column}"
        for column in value_columns(kind)
    )
    tail = "rev, namespace" if kind is Result else "rev"
    lines = ["def write(records, rev, namespace):", f"    return [({values}, {tail}) for r in records]"]
    function: RowWriter = _compiled(lines, "write", {"events_text": _events_text})
    return function


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
