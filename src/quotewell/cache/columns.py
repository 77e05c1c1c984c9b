"""The columns of each facet's values, for every level whose tables have columns.

What a released version has made stands as it is: a later column of a record is one more version in `LATER`,
whatever else stands in the record. Levels that keep a record as one text need none of this.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from quotewell.records import Facet

__all__ = [
    "FIRST", "LATER", "UNUSED", "Columns", "Kind", "Step", "additions", "definitions", "since", "steps_of",
]  # fmt: skip

Kind = Literal["text", "real", "whole", "flag"]
"""A flag is false unless something else was written."""

Columns = Mapping[Facet, Mapping[str, Kind]]

FIRST: Columns = {
    "quote": {
        "last": "real",
        "bid": "real",
        "ask": "real",
        "previous_close": "real",
        "currency": "text",
        "exchange": "text",
        "type": "text",
        "delay": "real",
        "market_state": "text",
        "unverified": "flag",
        "suspect": "real",
    },
    "profile": {
        "name": "text",
        "type": "text",
        "exchange": "text",
        "time_zone": "text",
        "sector": "text",
        "currency": "text",
        "stated_beta": "real",
    },
    "risk": {
        "beta": "real",
        "method": "text",
        "benchmark": "text",
        "window_start": "real",
        "window_end": "real",
        "n": "whole",
        "standard_error": "real",
        "r_squared": "real",
    },
    "dividend": {"dividend_yield": "real", "events": "text"},
    "history": {"first_date": "whole", "last_date": "whole", "bars": "whole", "currency": "text"},
    "fx": {"rate": "real"},
    "rate": {"years": "real", "rate": "real"},
}
"""Those of version 1."""

LATER: Sequence[Columns] = ({"payouts": {"events": "text"}},)
"""What version 2, 3, … has added, as `{"quote": {"volume": "real"}}`; a facet that is new is a new table."""

UNUSED: Mapping[Facet, Collection[str]] = {"dividend": ("events",)}
"""Columns that no record fills any more; they stay, as older programs name them."""


class Step(NamedTuple):
    """What one version adds to the one before."""

    tables: Columns
    """Of facets that were not there."""
    columns: Columns
    """Of tables that were."""


def steps_of(later: Sequence[Columns]) -> list[Step]:
    """What each version does, from the second on."""
    there = set(FIRST)
    steps = []
    for added in later:
        steps.append(
            Step(
                tables={facet: columns for facet, columns in added.items() if facet not in there},
                columns={facet: columns for facet, columns in added.items() if facet in there},
            )
        )
        there |= added.keys()
    return steps


def definitions(columns: Mapping[str, Kind], types: Mapping[Kind, str]) -> str:
    """The names of columns and their types in SQL, as they stand in `create table`."""
    return ", ".join(f"{name} {types[kind]}" for name, kind in columns.items())


def additions(columns: Columns, types: Mapping[Kind, str], schema: str = "") -> list[str]:
    """The statements that add columns to the tables of facets."""
    return [
        f"alter table {schema}{facet} add column {name} {types[kind]}"
        for facet, added in columns.items()
        for name, kind in added.items()
    ]


def since(later: Sequence[Columns]) -> dict[tuple[str, str], int]:
    """The version that has added a column to a table that was there, by facet and name."""
    return {
        (facet, name): version
        for version, step in enumerate(steps_of(later), start=2)
        for facet, columns in step.columns.items()
        for name in columns
    }
