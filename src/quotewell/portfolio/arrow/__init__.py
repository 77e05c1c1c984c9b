"""A book and its market data as Arrow tables, which pandas, polars, Dask and Parquet read (docs/columns.md).

`exposures` is a pure function of two tables, so that it can be run wherever they are sent.
"""

from __future__ import annotations

from quotewell.portfolio.arrow.exposures import exposures
from quotewell.portfolio.arrow.market import market_for, market_to_arrow
from quotewell.portfolio.arrow.positions import file_from_arrow, positions_to_arrow

__all__ = ["exposures", "file_from_arrow", "market_for", "market_to_arrow", "positions_to_arrow"]
