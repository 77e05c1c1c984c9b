"""What clients may send as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from quotewell.records import Facet, Need

__all__ = ["MOST_PREFETCHED", "InvalidateBody", "PrefetchBody", "RefreshBody", "needs_of"]

MOST_PREFETCHED = 5_000
_MOST_REFRESHED = 500

_Text = Annotated[str, Field(min_length=1, max_length=40)]
_Facets = Annotated[list[Facet], Field(min_length=1, max_length=7)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PrefetchBody(_Body):
    """Symbols, or the book whose symbols they are."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["symbols"]}, {"required": ["portfolio"]}]}
    )

    symbols: list[_Text] = Field(default=[], max_length=MOST_PREFETCHED, examples=[["AAPL", "MSFT", "SPY"]])
    facets: _Facets | None = Field(
        default=None,
        description="By default quote, profile, risk and dividend.",
        examples=[["quote", "risk"]],
    )
    portfolio: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Key of a book: all that its report needs."
    )


class RefreshBody(_Body):
    """Symbols to fetch again, however fresh they are."""

    symbols: list[_Text] = Field(min_length=1, max_length=_MOST_REFRESHED, examples=[["AAPL"]])
    facets: _Facets | None = Field(default=None, description="By default quote, profile, risk and dividend.")


class InvalidateBody(_Body):
    """Symbols to distrust."""

    symbols: list[_Text] = Field(min_length=1, max_length=MOST_PREFETCHED, examples=[["AAPL"]])
    facets: _Facets | None = Field(default=None, description="By default all.")
    hard: bool = Field(
        default=False, description="Forget values and failures; else old values are kept for errors."
    )


def needs_of(symbols: list[str], facets: list[Facet] | None) -> list[str | Need]:
    """What `TickerService.prefetch` and `refresh` take."""
    if facets is None:
        return list(symbols)
    return [(symbol, facet) for symbol in symbols for facet in facets]
