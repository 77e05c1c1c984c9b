"""Records as the level in Valkey stores them: a header, the last failure, and the value in msgpack.

The header is described in `valkey_scripts`, whose scripts write it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import Any

import msgspec

from quotewell.cache.codec import decoder, encode
from quotewell.cache.valkey_scripts import HEADER
from quotewell.records import Closes, Failure, Record

__all__ = ["closes_of", "failure_words", "fetched_of", "has_closes", "put_words", "records_of"]

_FORMAT = 1
"""Of the body; a later one is a miss."""
_INVALIDATED, _HAS_CLOSES = 1, 2
_HEADER = struct.Struct(HEADER)
_LENGTH = _HEADER.size
_NUMBER = struct.Struct("<d")


def records_of(
    kind: type[Record], blobs: Iterable[tuple[str, bytes | None]], gone: float, invalidated: float
) -> dict[str, Record]:
    """The records stored under keys; what is gone, or of a later version and unreadable, is left out.

    Args:
        kind: The type of the table's records.
        blobs: Keys and what is stored; None: nothing.
        gone: The revision up to which all records of the table are gone.
        invalidated: The revision up to which all are invalidated.
    """
    records: dict[str, Record] = {}
    decode, header, plain_from = decoder(kind), _HEADER.unpack_from, max(gone, invalidated)
    for key, blob in blobs:
        if blob is None:
            continue
        form, length, flags, _, rev, failed, size = header(blob)
        try:
            if form == _FORMAT and rev > plain_from and not flags and not size:
                records[key] = decode(blob[length:])  # a value and nothing else, as most are
            elif form == _FORMAT and (rev > gone or failed > gone):
                records[key] = _with_state(kind, key, blob, invalidated)
        except (msgspec.DecodeError, TypeError):
            continue  # of a later version
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


def put_words(record: Record) -> tuple[Any, ...]:
    """A value for the script `PUT`."""
    at = record.fetched_at
    return record.symbol, "" if at is None else repr(float(at)), encode(record)


def failure_words(key: str, failure: Failure) -> tuple[Any, ...]:
    """A failure for the script `FAIL`."""
    return key, msgspec.msgpack.encode(msgspec.structs.astuple(failure))


def _with_state(kind: type[Record], key: str, blob: bytes, invalidated: float) -> Record:
    """A record with its failure and invalidation, or without a value."""
    _, length, flags, _, rev, _, size = _HEADER.unpack_from(blob)
    body = blob[length + size :]
    record = decoder(kind)(body) if body else kind(symbol=key)
    if size:
        failure = msgspec.msgpack.decode(blob[length : length + size])
        record.failure = Failure(*failure[: len(Failure.__struct_fields__)])
    if flags & _INVALIDATED or 0.0 < rev <= invalidated:
        record.invalidated = True
    return record
