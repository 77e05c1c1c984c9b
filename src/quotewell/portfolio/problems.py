"""What a reader of a report must know: each problem names its kind, its subject and what can be done."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Problem", "ProblemKind"]

ProblemKind = Literal[
    "as_of_unknown",
    "assumed_dividend",
    "assumed_rate",
    "corporate_action",
    "deliverable_unknown",
    "disputed",
    "empty",
    "expired",
    "expires_today",
    "ignored_columns",
    "lots",
    "no_beta",
    "no_delta",
    "no_fx_rate",
    "no_price",
    "no_quantity",
    "no_underlying_price",
    "override",
    "rejected",
    "stale",
    "stated_total",
    "style_unknown",
    "superseded",
    "unknown_instrument",
]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that makes the report less than complete or less than certain."""

    kind: ProblemKind
    subject: str
    """The symbol, the row or the file that it is about."""
    line: int | None = None
    """Line of the imported file, counted from 1."""
    message: str
    """What happened, where, and what to do about it."""
