"""Records as the level in Valkey stores them: a header, the last failure, and the values in msgpack.

The header is described in `scripts.py`, whose scripts write it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from quotewell.cache.codec import encode, older_or_newer, row_decoder, row_reader
from quotewell.cache.valkey.scripts import HEADER
from quotewell.records import Closes, Failure, Record

__all__ = ["closes_of", "failure_words", "fetched_of", "has_closes", "put_words", "records_of"]

_FORMAT = 1
"""Of the body; a later one is a miss."""
_INVALIDATED, _HAS_CLOSES = 1, 2
_HEADER = struct.Struct(HEADER)
_LENGTH = _HEADER.size
_NUMBER = struct.Struct(">d")
"""Positive numbers so written are in the order of their bytes."""
_REV_AT, _FETCHED_AT = 15, 23
_PLAIN = _HEADER.pack(_FORMAT, _LENGTH, 0, 0, 0.0, 0.0, 0.0)[:_REV_AT]
"""How a header begins that has neither flags nor a failure."""


def records_of(
    kind: type[Record], keys: Sequence[str], blobs: Sequence[bytes | None], gone: float, invalidated: float
) -> dict[str, Record]:
    """The records stored under keys; what is gone, or of a later version and unreadable, is left out.

    Args:
        kind: The type of the table's records.
        keys: What was asked for.
        blobs: What is stored under each; None: nothing.
        gone: The revision up to which all records of the table are gone.
        invalidated: The revision up to which all are invalidated.
    """
    above = _NUMBER.pack(max(gone, invalidated))
    # A value and nothing else, as most are. No row lives longer than it takes to make a record of it:
    # thousands of them would keep the garbage collector busy.
    bodies = [
        blob[_LENGTH:]
        for blob in blobs
        if blob is not None and blob.startswith(_PLAIN) and blob[_REV_AT:_FETCHED_AT] > above
    ]
    try:
        records = row_reader(kind)(map(row_decoder(kind), bodies), dict(zip(keys, keys, strict=True)))
    except msgspec.DecodeError:
        records = {}  # among them are some of another version
    if len(records) + blobs.count(None) < len(keys):
        for key, blob in zip(keys, blobs, strict=True):
            if blob is not None and key not in records:
                record = _record_of(kind, key, blob, gone, invalidated)
                if record is not None:
                    records[key] = record
    return records


def has_closes(blob: bytes) -> bool:
    """Whether closes were stored with a record."""
    return bool(blob[2] & _HAS_CLOSES)


def closes_of(blob: bytes, gone: float) -> Closes | None:
    """The series that `blob` holds; None when it is gone, or of a later version that cannot be read."""
    (rev,) = _NUMBER.unpack_from(blob)
    if rev <= gone:
        return None
    try:
        return msgspec.msgpack.decode(blob[_NUMBER.size :], type=Closes)
    except msgspec.DecodeError:
        return None


def fetched_of(number: bytes) -> float:
    """`fetched_at` of the eight bytes that a header has for it; those of an expired record are none."""
    return float(_NUMBER.unpack(number)[0]) if number else -math.inf


def put_words(records: Sequence[Record]) -> list[Any]:
    """Values for the script `PUT`."""
    return [
        word
        for record, body in zip(records, encode(records), strict=True)
        for word in (
            record.symbol,
            "" if record.fetched_at is None else repr(float(record.fetched_at)),
            body,
        )
    ]


def failure_words(key: str, failure: Failure) -> tuple[Any, ...]:
    """A failure for the script `FAIL`."""
    return key, msgspec.msgpack.encode(msgspec.structs.astuple(failure))


def _record_of(kind: type[Record], key: str, blob: bytes, gone: float, invalidated: float) -> Record | None:
    """One record with its failure and invalidation, with a value or without; None when there is none."""
    form, length, flags, size, failed, rev, _ = _HEADER.unpack_from(blob)
    if form != _FORMAT or (rev <= gone and failed <= gone):
        return None
    try:
        row = older_or_newer(kind, blob[length + size :] or msgspec.msgpack.encode([key]))
        [record] = row_reader(kind)([row], {row[0]: key}).values()
        if size:
            failure = msgspec.msgpack.decode(blob[length : length + size])
            record.failure = Failure(*failure[: len(Failure.__struct_fields__)])
    except (msgspec.DecodeError, TypeError):
        return None  # of a later version
    record.invalidated = bool(flags & _INVALIDATED) or 0.0 < rev <= invalidated
    return record
