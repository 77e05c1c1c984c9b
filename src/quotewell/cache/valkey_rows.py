"""Records as the level in Valkey stores them: a header, the last failure, and the value in msgpack.

The header is described in `valkey_scripts`, whose scripts write it.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import msgspec

from quotewell.cache.codec import decoder, encode
from quotewell.cache.valkey_scripts import HEADER
from quotewell.records import Closes, Failure, Record

__all__ = ["closes_of", "failure_words", "fetched_of", "has_closes", "put_words", "record_of"]

_FORMAT = 1
"""Of the body; a later one is a miss."""
_INVALIDATED, _HAS_CLOSES = 1, 2
_HEADER = struct.Struct(HEADER)
_LENGTH = _HEADER.size
_NUMBER = struct.Struct("<d")


def record_of(kind: type[Record], key: str, blob: bytes, gone: float, invalidated: float) -> Record | None:
    """The record that `blob` holds; None, a miss, when it is gone, or of a later version that cannot be read.

    Args:
        kind: The type of the table's records.
        key: The record's key.
        blob: What is stored.
        gone: The revision up to which all records of the table are gone.
        invalidated: The revision up to which all are invalidated.
    """
    form, length, flags, _, rev, failed, size = _HEADER.unpack_from(blob)
    if form != _FORMAT or (rev <= gone and failed <= gone):
        return None
    try:
        body = blob[length + size :]
        record = decoder(kind)(body) if body else kind(symbol=key)
        if size:
            failure = msgspec.msgpack.decode(blob[length : length + size])
            record.failure = Failure(*failure[: len(Failure.__struct_fields__)])
    except (msgspec.DecodeError, TypeError):
        return None
    if flags & _INVALIDATED or 0.0 < rev <= invalidated:
        record.invalidated = True
    return record


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


def put_words(record: Record) -> tuple[Any, ...]:
    """A value for the script `PUT`."""
    at = record.fetched_at
    return record.symbol, "" if at is None else repr(float(at)), encode(record)


def failure_words(key: str, failure: Failure) -> tuple[Any, ...]:
    """A failure for the script `FAIL`."""
    return key, msgspec.msgpack.encode(msgspec.structs.astuple(failure))
