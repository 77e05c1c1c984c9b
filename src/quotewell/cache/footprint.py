"""About how much memory records take."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import msgspec

from quotewell.records import Record

__all__ = ["footprint"]

_SAMPLE = 50


def footprint(table: Mapping[str, Record]) -> int:
    """The bytes that a table takes, estimated from records spread evenly over it."""
    records = list(table.items())  # in one go: others may change the table meanwhile
    sample = records[:: max(len(records) // _SAMPLE, 1)]
    if not sample:
        return 0
    seen: set[int] = set()
    sampled = sum(_size(key, seen) + _size(record, seen) for key, record in sample)
    return sys.getsizeof(table) + round(sampled * len(records) / len(sample))


def _size(value: object, seen: set[int]) -> int:
    """Bytes of a value and all that it holds; what records share, such as a currency, is counted once."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    size = sys.getsizeof(value)
    if isinstance(value, msgspec.Struct):
        return size + sum(_size(getattr(value, field), seen) for field in value.__struct_fields__)
    if isinstance(value, Mapping):
        return size + sum(_size(key, seen) + _size(item, seen) for key, item in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return size + sum(_size(item, seen) for item in value)
    return size
