"""The columns of each facet's values, for every level whose tables have columns.

What a released version has made stands as it is: a later column of a record is one more version in `LATER`,
whatever else stands in the record. Levels that keep a record as one text need none of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from quotewell.records import Facet

__all__ = ["FIRST", "LATER", "Columns", "Kind", "additions", "definitions", "since"]

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

LATER: Sequence[Columns] = ()
"""What version 2, 3, … has added, as `{"quote": {"volume": "real"}}`."""


def definitions(columns: Mapping[str, Kind], types: Mapping[Kind, str]) -> list[str]:
    """Each column's name and type in SQL."""
    return [f"{name} {types[kind]}" for name, kind in columns.items()]


def additions(columns: Columns, types: Mapping[Kind, str], schema: str = "") -> list[str]:
    """The statements that add columns to the tables of facets."""
    return [
        f"alter table {schema}{facet} add column {definition}"
        for facet, added in columns.items()
        for definition in definitions(added, types)
    ]


def since(later: Sequence[Columns]) -> dict[tuple[str, str], int]:
    """The version that has added a column, by facet and name; those of version 1 are not in it."""
    return {
        (facet, name): version
        for version, added in enumerate(later, start=2)
        for facet, columns in added.items()
        for name in columns
    }
