"""The statements of the coordinator in PostgreSQL.

Those that lock several rows do it in the order of their keys, so that no two wait for each other.
"""

# ruff: noqa: S608  the statements are made of a checked schema name

from __future__ import annotations

import functools
from typing import NamedTuple

from quotewell.coordination.usage import HALF_LIFE

__all__ = ["Statements", "statements"]


class Statements(NamedTuple):
    """Of one schema."""

    lease: str
    renew: str
    release: str
    budget: str
    write_budget: str
    """Changes no row when the budget's version is another than `version`."""
    add_usage: str
    top_usage: str
    add_stats: str
    stats: str


@functools.cache
def statements(schema: str) -> Statements:
    """The statements for the tables in `schema`."""
    # A lease of which more is left than twice its length has ended, too: the clock was set back.
    ended = "(lease.until <= %(now)s or lease.until > %(now)s + 2 * lease.seconds)"
    # As `usage.decayed`; PostgreSQL's power does not like to come to nothing.
    decayed = f"""
        usage.count * power(0.5::float8, least(greatest(%(now)s - usage.at, 0) / {HALF_LIFE}, 1000))
    """
    return Statements(
        lease=f"""
            with ended as (
                delete from {schema}.lease where key in (
                    select key from {schema}.lease where {ended} and key <> all(%(keys)s)
                    order by key limit 1000 for update skip locked
                )
            )
            insert into {schema}.lease as lease (key, token, until, seconds)
            select key, %(token)s, %(now)s::float8 + %(seconds)s, %(seconds)s
            from unnest(%(keys)s::text[]) as wanted (key) order by key collate "C"
            on conflict (key) do update
            set token = excluded.token, until = excluded.until, seconds = excluded.seconds
            where lease.token = excluded.token or {ended}
            returning key
        """,
        renew=f"""
            with held as (
                select key from {schema}.lease
                where key = any(%(keys)s) and token = %(token)s and not {ended}
                order by key for update
            )
            update {schema}.lease set until = %(now)s::float8 + %(seconds)s, seconds = %(seconds)s
            from held where lease.key = held.key
            returning lease.key
        """,
        release=f"""
            with held as (
                select key from {schema}.lease where key = any(%(keys)s) and token = %(token)s
                order by key for update
            )
            delete from {schema}.lease using held where lease.key = held.key
        """,
        budget=f"""
            select version, seen, next_at, day, spent, paused_until, pause_reason, share
            from {schema}.budget where provider = %s
        """,
        write_budget=f"""
            insert into {schema}.budget as budget
                (provider, version, seen, next_at, day, spent, paused_until, pause_reason, share)
            values (%(provider)s, %(version)s + 1, %(seen)s, %(next_at)s, %(day)s, %(spent)s,
                %(paused_until)s, %(pause_reason)s, %(share)s)
            on conflict (provider) do update
            set version = excluded.version, seen = excluded.seen, next_at = excluded.next_at,
                day = excluded.day, spent = excluded.spent, paused_until = excluded.paused_until,
                pause_reason = excluded.pause_reason, share = excluded.share
            where budget.version = %(version)s
        """,
        add_usage=f"""
            with old as (
                delete from {schema}.usage where symbol in (
                    select symbol from {schema}.usage where at < %(forgotten)s and symbol <> all(%(symbols)s)
                    order by symbol for update skip locked
                )
            )
            insert into {schema}.usage as usage (symbol, count, at)
            select symbol, count, %(now)s
            from unnest(%(symbols)s::text[], %(counts)s::float8[]) as added (symbol, count)
            order by symbol collate "C"
            on conflict (symbol) do update
            set at = excluded.at, count = {decayed} + excluded.count
        """,
        top_usage=f"""
            select symbol, {decayed} as decayed from {schema}.usage order by decayed desc limit %(n)s
        """,
        add_stats=f"""
            with old as (
                delete from {schema}.stat where (day, facet, event) in (
                    select day, facet, event from {schema}.stat where day < %(first_kept)s
                    for update skip locked
                )
            )
            insert into {schema}.stat as stat (day, facet, event, count)
            select %(day)s, facet, event, count
            from unnest(%(facets)s::text[], %(events)s::text[], %(counts)s::bigint[])
                as added (facet, event, count)
            order by facet, event
            on conflict (day, facet, event) do update set count = stat.count + excluded.count
        """,
        stats=f"""
            select day, facet, event, count from {schema}.stat
            where day between %s and %s order by day, facet, event
        """,
    )
