"""Copying all that one level holds into another, such as from a machine's own cache to a shared one.

By the rules of every write: what the other level has that is newer stays, and so does what it has invalidated
since the copy began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from quotewell.protocols import Level
from quotewell.records import Record

__all__ = ["Migrated", "migrate"]

_BATCH = 1_000


class Migrated(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of the records, by facet or table."""

    copied: Mapping[str, int]
    kept: Mapping[str, int]
    """Records that stayed as they were, because the level had newer ones."""


def migrate(source: Level, target: Level) -> Migrated:
    """Copy every record of `source`, with its failure and soft invalidation, and every series of closes.

    Raises:
        CacheError: One of the levels cannot be read or written; what was copied stays.
    """
    copied: dict[str, int] = {}
    kept: dict[str, int] = {}
    for table in sorted(source.stats().records):
        keys = source.keys(table)
        done = refused = 0
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            records = list(source.get_many(table, batch).values())
            newer = _copy(source, target, table, records)
            refused += len(newer)
            done += len(records) - len(newer)
        copied[table] = done
        if refused:
            kept[table] = refused
    return Migrated(copied=copied, kept=kept)


def _copy(source: Level, target: Level, table: str, records: Sequence[Record]) -> set[str]:
    """Copy some records; return the keys of which the target has newer ones."""
    begun = target.rev()
    values = [record for record in records if record.fetched_at is not None]
    closes = source.get_closes([record.symbol for record in values]) if table == "history" else {}
    newer = target.put_many(table, values, begun=begun, closes=list(closes.values()))
    there = target.get_many(table, [record.symbol for record in records if record.fetched_at is None])
    newer |= {key for key, record in there.items() if record.fetched_at is not None}
    ours = [record for record in records if record.symbol not in newer]
    failures = {record.symbol: record.failure for record in ours if record.failure is not None}
    target.fail_many(table, failures, begun=target.rev())
    target.invalidate_many(table, [record.symbol for record in ours if record.invalidated])
    return newer
