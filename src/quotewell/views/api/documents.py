"""The documents that only the API has; the others are those of the commands (docs/json.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from quotewell.portfolio.summary import UnderlyingRow
from quotewell.views.api.jobs import Job
from quotewell.views.api.paging import Page
from quotewell.views.imported import File
from quotewell.views.valued import Positions

__all__ = [
    "Book",
    "BookList",
    "BookListed",
    "Health",
    "JobList",
    "PositionsPage",
    "Ready",
    "Underlyings",
]


class BookListed(msgspec.Struct, frozen=True, kw_only=True):
    """One book in a list."""

    key: str
    name: str
    broker: str
    accounts: Sequence[str]
    rows: int
    as_of: str | None
    read_at: str | None


class BookList(msgspec.Struct, frozen=True, kw_only=True):
    """The books that are kept, the oldest first."""

    schema: int = 1
    portfolios: Sequence[BookListed]
    page: Page


class Book(File, frozen=True, kw_only=True):
    """A book, and how its files were read."""

    schema: int = 1
    key: str
    name: str
    read_at: str | None


class PositionsPage(Positions, frozen=True, kw_only=True):
    """Some rows of a book; with `groups` the page is of groups."""

    page: Page


class Underlyings(msgspec.Struct, frozen=True, kw_only=True):
    """Some underlyings of a book, the largest exposure first."""

    schema: int = 1
    base_currency: str
    benchmark: str
    valuation_at: dt.datetime | None
    underlyings: Sequence[UnderlyingRow]
    page: Page


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    """The jobs that are kept, the oldest first."""

    schema: int = 1
    jobs: Sequence[Job]
    page: Page


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests can be answered, and how well."""

    status: Literal["ready", "degraded"]
    """`degraded`: without its persistent level, or with every provider out of order."""
    cache: str
    """The persistent level, and what is wrong with it."""
    providers: Mapping[str, str]
    """Provider to `ok`, or why it is not asked now."""
