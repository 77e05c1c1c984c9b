"""Overviews of small books, for the tests of what page and report show."""

from __future__ import annotations

from typing import Any

from quotewell.portfolio.importers import ImportedFile, RejectedRow
from quotewell.portfolio.portfolio import Portfolio
from quotewell.portfolio.positions import CashPosition, PendingActivity, Position
from quotewell.testing.source import FakeSource
from quotewell.views.content.overview import Overview, overview
from valued_books import AT, CALL, option, quote, stock

__all__ = ["MARKET", "file_of", "shown"]

MARKET = {
    "AMZN": quote("AMZN", 190.0, AT, previous_close=186.0),
    "KO": quote("KO", 70.0, AT, previous_close=71.0),
    CALL: quote(CALL, 3.0, AT, previous_close=2.5),
}


def file_of(*positions: Position, **fields: Any) -> ImportedFile:
    """A file of these, or of shares, a call, cash, something unpriced and a rejected row."""
    held = positions or (
        stock("AMZN", 100.0, description="Amazon", account="Z1", line=2),
        option(CALL, -1.0, description="AMZN call", account="Z1", line=3),
        stock("KO", -50.0, description="Coca-Cola", account="Z2", line=4),
        stock("021ESC017", 33.0, description="Escrow", account="Z2", line=5),
        CashPosition(symbol="USD", quantity=5_000.0, value=5_000.0, currency="USD", account="Z1", line=6),
    )
    known: dict[str, Any] = {
        "broker": "Fidelity",
        "path": "/home/me/positions.csv",
        "positions": list(held),
        "pending": [
            PendingActivity(description="Pending", value=120.0, currency="USD", account="Z1", line=7)
        ],
        "rejected": [RejectedRow(8, "???,1", "no symbol")],
        "as_of": AT,
    }
    return ImportedFile(**{**known, **fields})


def shown(file: ImportedFile | None = None, **market: Any) -> Overview:
    """The overview of a file."""
    source = FakeSource(MARKET, {"AMZN": 1.3, "KO": 0.6}, now=AT, **market)
    return overview(Portfolio(file or file_of(), source, at=AT))
