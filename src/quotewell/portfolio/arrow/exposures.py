"""Exposures of a table of positions, given a table of market data: pure, so that it runs anywhere."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET

from quotewell.analytics.arrays import Integers
from quotewell.portfolio.arrow.market import snapshot_from_arrow, terms_from_arrow
from quotewell.portfolio.arrow.positions import holdings_from_arrow
from quotewell.portfolio.arrow.tables import as_table, from_codes, module, nullable
from quotewell.portfolio.basis import Basis
from quotewell.portfolio.columns import Columns
from quotewell.portfolio.flags import REASONS, Flag, names
from quotewell.portfolio.valuation import value_holdings

__all__ = ["RESULTS", "exposures"]

RESULTS = (
    "market_price", "market_value", "underlying", "spot", "delta", "volatility", "beta", "exposure",
    "beta_adjusted", "status", "flags",
)  # fmt: skip
"""The columns that `exposures` adds, named as in what `quotewell positions --csv` writes."""


def exposures(
    positions: Any, market: Any, *, basis: Basis | None = None, at: float | msgspec.UnsetType | None = UNSET
) -> Any:
    """Value positions: the same figures as `Portfolio.value` gives, row by row.

    No clock is read, nothing fetched, nothing kept.

    Args:
        positions: A table or record batch as `Portfolio.to_arrow` writes it, or part of one; of the columns
            only `kind`, `symbol` and `quantity` must be there.
        market: A table as `Portfolio.market_to_arrow` or `market_for` writes it.
        basis: The basis of the valuation; by default that of `market`.
        at: The valuation instant, epoch seconds, or None if it is unknown; by default that of `market`.

    Returns:
        The positions with the columns `RESULTS`: a record batch for a record batch, else a `pyarrow.Table`.
        Prices are in local currency, values and exposures in base currency, null where they are unknown.
        `status` is `ok` where exposure and beta-adjusted exposure are known, else why not.

    Raises:
        UsageError: One of the tables is not of its kind, or pyarrow is not installed.
    """
    pa = module()
    if basis is None or at is UNSET:
        said_at, said_basis = terms_from_arrow(market)
        basis, at = basis or said_basis, said_at if at is UNSET else at
    table = as_table(positions, ("kind", "symbol", "quantity"), "positions")
    columns = value_holdings(holdings_from_arrow(table), snapshot_from_arrow(market, at), basis)
    for name, figures in _results(columns).items():
        place = table.schema.get_field_index(name)
        table = table.append_column(name, figures) if place < 0 else table.set_column(place, name, figures)
    if isinstance(positions, pa.RecordBatch):
        return (
            table.combine_chunks().to_batches()[0]
            if table.num_rows
            else pa.RecordBatch.from_pylist([], table.schema)
        )
    return table


def _results(columns: Columns) -> dict[str, Any]:
    flags, place = np.unique(columns.flags, return_inverse=True)
    told = [_status(flag) for flag in flags.tolist()]
    known = ~np.isnan(columns.beta_adjusted)
    found = (
        nullable(columns.price),
        nullable(columns.value),
        from_codes(columns.underlying, columns.underlyings),
        nullable(columns.spot),
        nullable(columns.delta),
        nullable(columns.contracts.volatility),
        nullable(columns.beta),
        nullable(columns.exposure),
        nullable(columns.beta_adjusted),
        _statuses(told, np.where(known, -1, place)),
        from_codes(place, [" ".join(names(flag)) for flag in flags.tolist()]),
    )
    return dict(zip(RESULTS, found, strict=True))


def _status(flags: int) -> str:
    """The first reason why a figure may be missing, by the name of its flag."""
    first = next((flag for flag in REASONS if flag in Flag(flags)), None)
    return "unknown" if first is None or first.name is None else first.name.lower()


def _statuses(told: list[str], place: Integers) -> Any:
    """`ok` where the place is -1."""
    return from_codes(place + 1, ["ok", *told])
