"""Examples for OpenAPI; made of the structs themselves, so that they cannot differ from them."""

from __future__ import annotations

import datetime as dt

from quotewell.outcomes import Outcome, Progress
from quotewell.portfolio.summary import WhatIfPoint
from quotewell.portfolio.what_if import WhatIfReport
from quotewell.records import Payout
from quotewell.views.api.documents import Book, BookList, BookListed
from quotewell.views.api.jobs import Job
from quotewell.views.api.paging import Page
from quotewell.views.documents import Prefetch
from quotewell.views.explanation import Block, Explanation
from quotewell.views.quotes import Row

__all__ = [
    "BOOK", "BOOKS", "EVENTS", "EXPLANATION", "JOB_BEGUN", "JOB_DONE", "PREFETCH", "ROW", "WHAT_IF",
]  # fmt: skip

_KEY = "qwXh3vJ0bYw2mT5nR8sKLA"
_AT = "2025-05-08T20:00:00Z"

ROW = Row(
    symbol="AAPL", price=197.49, previous_close=196.25, currency="USD", beta=1.21, name="Apple Inc.",
    as_of=_AT, fetched_at=_AT, source="yahoo", freshness="fresh", level="memory",
)  # fmt: skip
EXPLANATION = Explanation(
    symbol="AAPL",
    facets={
        "quote": Block(
            values={"last": 197.49, "previous_close": 196.25, "currency": "USD"},
            source="yahoo", as_of=_AT, fetched_at=_AT, freshness="fresh", level="memory", failure=None,
        )
    },
    payouts=[Payout(ex_date=dt.date(2025, 8, 12), years=0.26, amount=0.26, projected=True)],
    requests=2,
)  # fmt: skip
PREFETCH = Prefetch(
    requests=2, waited=0.0, seconds=0.4, counts={"fetched": 2},
    outcomes={"AAPL": {"quote": Outcome("fetched"), "risk": Outcome("fetched")}},
)  # fmt: skip
JOB_BEGUN = Job(id=_KEY, state="waiting", created_at=_AT, progress=None, report=None, error=None)
JOB_DONE = Job(
    id=_KEY, state="done", created_at=_AT,
    progress=Progress(
        symbols=1, done=1, requests=2, waited=0.0, seconds=0.4, values=2, values_done=2, planned=2.0
    ),
    report=PREFETCH, error=None,
)  # fmt: skip
EVENTS = f'event: job\ndata: {{"schema":1,"id":"{_KEY}","state":"running"}}\n\n'
BOOK = Book(
    key=_KEY, name="positions.csv", read_at=_AT, file="positions.csv", broker="plain", as_of=None,
    accounts=(), rows=1, kinds={"stock": 1, "option": 0, "cash": 0, "pending": 0, "unknown": 0},
    rejected=(), problems=(), notes=(),
)  # fmt: skip
BOOKS = BookList(
    portfolios=[
        BookListed(
            key=_KEY, name="positions.csv", broker="plain", accounts=(), rows=1, as_of=None, read_at=_AT
        )
    ],
    page=Page(offset=0, limit=50, total=1),
)  # fmt: skip
WHAT_IF = WhatIfReport(
    broker="plain", file="positions.csv", accounts=(), as_of=None, valuation_at=None, base_currency="USD",
    benchmark="^GSPC", value=2_789_293.0, shocks={}, days=0.0, volatility=0.0, by_underlying=(), requests=0,
    points=(
        WhatIfPoint(
            market=-0.1, pnl=-52_100.0, share_of_value=-0.019, complete=True, missing=(),
            delta_pnl=-78_600.0, scenario_pnl=-54_300.0, scenario_complete=True, scenario_missing=(),
        ),
    ),
)  # fmt: skip
