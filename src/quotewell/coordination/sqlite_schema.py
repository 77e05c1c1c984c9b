"""The tables of `state.db`, made so that a person can query them.

```
sqlite3 state.db "select provider, datetime(paused_until, 'unixepoch'), pause_reason from budget"
sqlite3 state.db "select symbol, count, datetime(at, 'unixepoch') from usage order by count desc limit 10"
sqlite3 state.db "select day, event, sum(count) from stat group by day, event"
sqlite3 state.db "select day, facet, count from stat where event = 'misses'"
```

Times are epoch seconds; `day` is `YYYY-MM-DD` in UTC, but in `budget` a number counted from 1970. The
events of `stat` are the fields of `cache.stats.FacetStats`, and `requests`, which belong to no facet and
stand under `all`; one a row, so that programs that count more or less can share the file.

Version 2 added `stat`, version 3 `budget.share`: the part of the rate limit that is used.
"""

from __future__ import annotations

from quotewell.cache.sqlite.file import Schema

__all__ = ["STATE_SCHEMA"]

_VERSION_1 = (
    """create table budget (
        provider text primary key not null, seen real not null, next_at real not null,
        day integer not null, spent integer not null, paused_until real not null,
        pause_reason text not null
    ) strict""",
    """create table lease (
        key text primary key not null, token text not null, until real not null, seconds real not null
    ) strict, without rowid""",
    """create table usage (
        symbol text primary key not null, count real not null, at real not null
    ) strict, without rowid""",
)
_VERSION_2 = (
    """create table stat (
        day text not null, facet text not null, event text not null, count integer not null,
        primary key (day, facet, event)
    ) strict, without rowid""",
)

_VERSION_3 = ("alter table budget add column share real not null default 1.0",)

STATE_SCHEMA = Schema(application_id=0x51575331, steps=(_VERSION_1, _VERSION_2, _VERSION_3))
