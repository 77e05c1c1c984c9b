"""`/api/v1/portfolios/{key}/…`: what a book is worth, what it is exposed to, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from quotewell.errors import UsageError
from quotewell.portfolio.portfolio import MOVES, Portfolio
from quotewell.portfolio.reconciliation import Reconciliation, reconcile
from quotewell.portfolio.report import instant
from quotewell.portfolio.row import ValuedRow, row_of
from quotewell.portfolio.selection import Selection, grouped, sort_order
from quotewell.portfolio.summary import Summary
from quotewell.portfolio.what_if import WhatIfReport, report
from quotewell.symbols import normalise
from quotewell.views.api import examples
from quotewell.views.api.answers import document
from quotewell.views.api.context import PREFIX, Context
from quotewell.views.api.documents import PositionsPage, Underlyings
from quotewell.views.api.paging import Limit, Offset, Page, links, part_of
from quotewell.views.api.portfolio_routes import Key, book_under
from quotewell.views.api.schemas import answers
from quotewell.views.valued import positions_document

__all__ = ["analysis_routes"]

_Move = Annotated[float, Query(ge=-1.0, le=10.0, allow_inf_nan=False)]
_Moves = Annotated[
    list[_Move] | None,
    Query(
        min_length=1,
        max_length=200,
        description="Moves of the benchmark, as fractions; by default those of the report.",
        examples=[[-0.1, 0.0, 0.1]],
    ),
]
_Shocks = Annotated[
    Sequence[Annotated[str, Query(max_length=60)]],
    Query(
        max_length=100,
        description="Moves of single symbols, as SYMBOL=FRACTION, in place of beta times the market's.",
        examples=[["AAPL=-0.2"]],
    ),
]
_Least = Annotated[float | None, Query(ge=0.0, allow_inf_nan=False)]
_Text = Annotated[str | None, Query(max_length=100)]


def analysis_routes(context: Context) -> APIRouter:
    """The routes, over the parts of one application."""
    routes = APIRouter(prefix=PREFIX + "/portfolios/{key}", tags=["portfolios"])
    run = context.work.run

    @routes.get(
        "/summary",
        summary="The whole report",
        responses=answers(Summary, "Value, exposures, coverage, Greeks, what-if and problems."),
    )
    async def summary(key: Key, market: _Moves = None) -> Response:
        book = book_under(context, key).book
        return document(await run(lambda: book.summary(moves=market)))

    @routes.get(
        "/positions",
        summary="Every row, valued",
        responses=answers(PositionsPage, "Rows as asked for; with `group` the page is of groups."),
    )
    async def positions(
        key: Key,
        request: Request,
        type: Literal["stock", "option", "cash", "pending", "unknown"] | None = None,
        account: _Text = None,
        underlying: _Text = None,
        flag: _Text = None,
        min_value: _Least = None,
        min_exposure: _Least = None,
        sort: Annotated[str | None, Query(max_length=60, examples=["exposure:desc"])] = None,
        group: Literal["underlying"] | None = None,
        offset: Offset = 0,
        limit: Limit = 200,
    ) -> Response:
        book = book_under(context, key).book
        order, descending = sort_order(sort)
        selection = Selection(
            kind=type,
            underlying=None if underlying is None else normalise(underlying),
            flag=flag,
            min_value=min_value,
            min_exposure=min_exposure,
            order=order,
            descending=descending,
        )
        found = await run(
            lambda: _positions(book, selection, account, offset, limit, grouping=group is not None)
        )
        return document(found, headers=links(request, found.page))

    @routes.get(
        "/underlyings",
        summary="By underlying",
        responses=answers(Underlyings, "Each with all its legs, the largest exposure first."),
    )
    async def underlyings(key: Key, request: Request, offset: Offset = 0, limit: Limit = 200) -> Response:
        book = book_under(context, key).book
        rows = await run(book.by_underlying)
        part, page = part_of(rows, offset, limit)
        found = Underlyings(
            base_currency=book.basis.base_currency,
            benchmark=book.basis.benchmark,
            valuation_at=instant(book.at),
            underlyings=part,
            page=page,
        )
        return document(found, headers=links(request, page))

    @routes.get(
        "/what-if",
        summary="Profit or loss at moves of the market",
        responses=answers(
            WhatIfReport, "One point for each move, in the order asked.", example=examples.WHAT_IF
        ),
    )
    async def what_if(
        key: Key,
        market: _Moves = None,
        shock: _Shocks = (),
        days: Annotated[float, Query(ge=0.0, le=3_660.0, allow_inf_nan=False)] = 0.0,
        volatility: Annotated[float, Query(ge=-500.0, le=500.0, allow_inf_nan=False)] = 0.0,
    ) -> Response:
        book = book_under(context, key).book
        moves, shocks = MOVES if market is None else market, dict(map(_shock, shock))

        def found() -> WhatIfReport:
            return report(
                book, moves, shocks=shocks, days=days, volatility=volatility, requests=book.requests
            )

        return document(await run(found))

    @routes.get(
        "/reconciliation",
        summary="Against the broker's figures",
        responses=answers(Reconciliation, "Three totals, and the rows that explain their differences."),
    )
    async def reconciliation(key: Key) -> Response:
        book = book_under(context, key).book
        return document(await run(lambda: reconcile(book)))

    return routes


def _is_of(account: str, row: ValuedRow) -> bool:
    return (row.account or "").casefold() == account.casefold()


def _shock(text: str) -> tuple[str, float]:
    """`AAPL=-0.2` as a symbol and its move."""
    name, _, move = text.rpartition("=")
    try:
        value = float(move)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"shock: {text!r} is not SYMBOL=FRACTION", hint="AAPL=-0.2")
    return normalise(name), value


def _positions(
    book: Portfolio, selection: Selection, account: str | None, offset: int, limit: int, *, grouping: bool
) -> PositionsPage:
    columns = book.value()
    all_rows = (row_of(columns, row) for row in range(len(columns.entries)))
    rows = selection.of([row for row in all_rows if account is None or _is_of(account, row)])
    groups, page = None, Page(offset=offset, limit=limit, total=len(rows))
    if grouping:
        groups, page = part_of(grouped(rows), offset, limit)
        rows = [row for group in groups for row in group.rows]
    else:
        rows = list(rows[offset : offset + limit])
    found = positions_document(book, rows, groups, columns.snapshot.at, book.requests)
    fields = {name: getattr(found, name) for name in found.__struct_fields__}
    return PositionsPage(**fields, page=page)
