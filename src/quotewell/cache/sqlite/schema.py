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

from quotewell.cache.sqlite.file import Schema

__all__ = ["CACHE_SCHEMA"]

_PROVENANCE = "rev integer not null, source text, as_of real, fetched_at real"
_STATE = """
    invalidated integer not null default 0, failure_kind text, failure_reason text,
    failure_source text, failure_count integer, failure_first_at real, failure_last_at real,
    failure_retry_at real, failure_rev integer
"""

_FACETS = {
    "quote": """
        last real, bid real, ask real, previous_close real, currency text, exchange text, type text,
        delay real, market_state text, unverified integer not null default 0, suspect real
    """,
    "profile": """
        name text, type text, exchange text, time_zone text, sector text, currency text, stated_beta real
    """,
    "risk": """
        beta real, method text, benchmark text, window_start real, window_end real, n integer,
        standard_error real, r_squared real
    """,
    "dividend": "dividend_yield real, events text",
    "history": "first_date integer, last_date integer, bars integer, currency text",
    "fx": "rate real",
    "rate": "years real, rate real",
}


def _index(table: str) -> str:
    # Few rows are in it; it finds those that a read of the values alone would get wrong.
    return f"create index {table}_noted on {table} (failure_rev) where failure_rev is not null or invalidated"


def _version_1() -> list[str]:
    statements = [
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
    for facet, columns in _FACETS.items():
        columns_sql = f"symbol text primary key not null, {_PROVENANCE}, {columns}, {_STATE}"
        statements.append(f"create table {facet} ({columns_sql}) strict")
        statements.append(_index(facet))
    return [
        *statements,
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


def _version_2() -> list[str]:
    columns = f"symbol text primary key not null, {_PROVENANCE}, events text, {_STATE}"
    return [
        f"create table payouts ({columns}) strict",
        _index("payouts"),
        "alter table dividend drop column events",  # nobody ever wrote any
    ]


CACHE_SCHEMA = Schema(application_id=0x51574331, steps=(_version_1(), _version_2()))
