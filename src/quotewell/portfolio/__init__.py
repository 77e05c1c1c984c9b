"""Positions as brokers report them, and what they are worth and exposed to at market prices."""

from __future__ import annotations

from quotewell.portfolio.basis import Basis, Deliverable
from quotewell.portfolio.importers import ImportedFile, RejectedRow, read_positions
from quotewell.portfolio.portfolio import Portfolio
from quotewell.portfolio.positions import (
    CashPosition,
    OptionPosition,
    PendingActivity,
    Position,
    StockPosition,
    UnknownPosition,
)
from quotewell.portfolio.problems import Problem

__all__ = [
    "Basis",
    "CashPosition",
    "Deliverable",
    "ImportedFile",
    "OptionPosition",
    "PendingActivity",
    "Portfolio",
    "Position",
    "Problem",
    "RejectedRow",
    "StockPosition",
    "UnknownPosition",
    "read_positions",
]
