"""The bundled sample: a dated market and a made-up portfolio, so that everything can be tried offline.

`market.json` holds daily closes of 20 US companies and the S&P 500 from 2020-01-02 to 2022-12-28, taken from
the data files of the Python package skfolio 1.12.2 (BSD-3-Clause), which provides them for testing and
example purposes; they are adjusted for splits and dividends. The portfolio's positions are invented; its
stock prices are the snapshot's last closes, its option prices are computed (see the notes in both files).
Both files are written by `tools/make_demo.py`.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from quotewell.calendars import close_of

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["MARKET_FILE", "PORTFOLIO_FILE", "content", "demo_now", "portfolio_file"]

MARKET_FILE = "market.json"
PORTFOLIO_FILE = "Portfolio_Positions_Dec-28-2022.csv"

_DAY = dt.date(2022, 12, 28)


def demo_now() -> float:
    """The instant that the sample is about, in epoch seconds: 2022-12-28, 16:00 New York."""
    return close_of(_DAY)


def portfolio_file() -> Traversable:
    """The portfolio as a package resource; `importlib.resources.as_file` makes a path of it."""
    from importlib.resources import files  # noqa: PLC0415  only the demo pays for it

    return files(__name__).joinpath(PORTFOLIO_FILE)


def content(name: str) -> bytes:
    """A file of this package, wherever it was imported from, without the import of `importlib.resources`."""
    from pathlib import Path  # noqa: PLC0415  only the demo pays for it

    loader: Any = __spec__.loader
    data: bytes = loader.get_data(str(Path(__file__).with_name(name)))
    return data
