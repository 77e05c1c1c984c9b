"""The tables of `cache.db`, made so that a person can query them.

```
sqlite3 cache.db "select symbol, last, currency, datetime(fetched_at, 'unixepoch') from quote"
sqlite3 cache.db "select date(date + 1721424.5), close from bar where symbol = 'SPY'"
sqlite3 cache.db "select symbol, failure_kind, failure_reason from quote where failure_kind is not null"
```

Times are epoch seconds, days are proleptic ordinals. `rev` is the revision at which a row's value was last
written or invalidated (0: never), `failure_rev` the one at which its failure was; `touched` has the last
revision of each table. There is no index on `rev`: to keep one costs every write a third more, and to find
the changed rows among 10,000 without it takes 0.2 ms, in a table known to have any. `change` logs
invalidations and deletions; `key` is null for a whole table, `gone` tells a deletion. `counter` starts at a
random revision, `born`, so that a revision of an earlier file at the same path is recognised as foreign;
entries of the log up to revision `forgotten` are gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quotewell.cache.columns import FIRST, LATER, Columns, Kind, additions, definitions, steps_of
from quotewell.cache.sqlite.file import Schema

__all__ = ["CACHE_SCHEMA", "cache_schema"]

_PROVENANCE = "rev integer not null, source text, as_of real, fetched_at real"
_STATE = """
    invalidated integer not null default 0, failure_kind text, failure_reason text,
    failure_source text, failure_count integer, failure_first_at real, failure_last_at real,
    failure_retry_at real, failure_rev integer
"""

_TYPES: Mapping[Kind, str] = {
    "text": "text",
    "real": "real",
    "whole": "integer",
    "flag": "integer not null default 0",
}


def _index(table: str) -> str:
    # Few rows are in it; it finds those that a read of the values alone would get wrong.
    return f"create index {table}_noted on {table} (failure_rev) where failure_rev is not null or invalidated"


def _tables(facets: Columns) -> list[str]:
    statements = []
    for facet, columns in facets.items():
        values = definitions(columns, _TYPES)
        columns_sql = f"symbol text primary key not null, {_PROVENANCE}, {values}, {_STATE}"
        statements += [f"create table {facet} ({columns_sql}) strict", _index(facet)]
    return statements


def _version_1() -> list[str]:
    counting = [
        """create table counter (
            id integer primary key check (id = 1), rev integer not null, born integer not null,
            forgotten integer not null
        ) strict""",
        """insert into counter (id, rev, born, forgotten)
            select 1, start, start, 0 from (select (random() & 0x3fffffff) << 31 as start)""",
        """create table change (
            rev integer not null, tbl text not null, key text, at real not null, gone integer not null
        ) strict""",
        "create table touched (tbl text primary key not null, rev integer not null) strict, without rowid",
        "create index change_rev on change (rev)",
        "create index change_at on change (at)",
    ]
    return [
        *counting,
        *_tables(FIRST),
        f"""create table result (
            namespace text not null, key text not null, {_PROVENANCE}, blob blob, {_STATE},
            primary key (namespace, key)
        ) strict""",
        _index("result"),
        """create table bar (
            symbol text not null, date integer not null, close real not null, source text not null,
            primary key (symbol, date)
        ) strict, without rowid""",
        """create table event (
            symbol text not null, kind text not null check (kind in ('split', 'dividend')),
            number integer not null, date integer not null, value real not null, currency text,
            declared integer, primary key (symbol, kind, number)
        ) strict, without rowid""",
    ]


def cache_schema(later: Sequence[Columns] = LATER) -> Schema:
    """What is in `cache.db` when its columns are those of `FIRST` and `later`."""
    changes = ([*_tables(step.tables), *additions(step.columns, _TYPES)] for step in steps_of(later))
    return Schema(application_id=0x51574331, steps=(_version_1(), *changes))


CACHE_SCHEMA = cache_schema()
