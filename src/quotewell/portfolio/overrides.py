"""What the user knows better: a TOML file of prices, betas, dividends, deliverables, renames, cash-likes.

```toml
[price]                 # per share, in the symbol's own currency
"021ESC017" = 1.25
[beta]
ARKK = 1.7
[dividend_yield]        # fractions
AMZN = 0.0
[dividends.AAPL]        # ex-date -> a share
2026-02-09 = 0.26
[rename]                # the broker's symbol -> the canonical one
BRKB = "BRK-B"
[deliverable.SPY7]      # what an adjusted option root delivers
shares = 10
multiplier = 10
[cash_like]
symbols = ["SGOV", "BIL"]
```
"""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from quotewell.errors import SymbolError, UsageError
from quotewell.portfolio.basis import Basis, Deliverable
from quotewell.portfolio.importers import ImportedFile
from quotewell.portfolio.positions import Position
from quotewell.records import DividendEvent
from quotewell.symbols import normalise

__all__ = ["Overrides", "load_overrides", "parse_overrides"]

_Positive = Annotated[float, msgspec.Meta(gt=0.0)]


class _CashLike(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    symbols: tuple[str, ...] = ()


class _Deliverable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    shares: _Positive
    cash: float = 0.0
    multiplier: _Positive = 100.0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    price: dict[str, _Positive] = {}
    beta: dict[str, float] = {}
    dividend_yield: dict[str, Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]] = {}
    dividends: dict[str, dict[str, _Positive]] = {}
    rename: dict[str, str] = {}
    deliverable: dict[str, _Deliverable] = {}
    cash_like: _CashLike = _CashLike()


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """What the user gives in place of what brokers and markets say; symbols are canonical."""

    prices: Mapping[str, float] = {}
    betas: Mapping[str, float] = {}
    dividend_yields: Mapping[str, float] = {}
    dividends: Mapping[str, tuple[DividendEvent, ...]] = {}
    deliverables: Mapping[str, Deliverable] = {}
    cash_like: frozenset[str] = frozenset()
    renames: Mapping[str, str] = {}
    """The broker's spelling, as it stands in the file, to the canonical symbol."""

    def applied(self, basis: Basis) -> Basis:
        """The basis of a valuation with these in it."""
        return msgspec.structs.replace(
            basis,
            prices={**basis.prices, **self.prices},
            betas={**basis.betas, **self.betas},
            dividend_yields={**basis.dividend_yields, **self.dividend_yields},
            dividends={**basis.dividends, **self.dividends},
            deliverables={**basis.deliverables, **self.deliverables},
            cash_like=basis.cash_like | self.cash_like,
        )

    def rename(self, file: ImportedFile) -> None:
        """Give the positions of a file the symbols that the user knows them by; what the file said stays."""
        for position in file.positions:
            symbol = self.renames.get(position.raw_symbol.strip()) or self.renames.get(position.symbol)
            if symbol is not None and isinstance(position, Position):
                position.symbol = symbol


def load_overrides(path: Path) -> Overrides:
    """Read a file of overrides.

    Raises:
        UsageError: It cannot be read, or says something that is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path}: cannot be read: {reason}") from error
    return parse_overrides(text, str(path))


def parse_overrides(text: str, name: str) -> Overrides:
    """The overrides in a TOML text.

    Args:
        text: As in the module's example.
        name: What messages call it.

    Raises:
        UsageError: It is no TOML, or a table, key, symbol or number in it is wrong.
    """
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{name}: {error}", hint="docs/overrides.md shows one") from error
    for table in ("price", "beta", "dividend_yield"):
        for symbol, value in getattr(file, table).items():
            if not math.isfinite(value):
                raise UsageError(f"{name}: [{table}] {symbol}: {value} is not a finite number")
    return Overrides(
        prices=_by_symbol(file.price, name, "price"),
        betas=_by_symbol(file.beta, name, "beta"),
        dividend_yields=_by_symbol(file.dividend_yield, name, "dividend_yield"),
        dividends={
            _canonical(symbol, name, "dividends"): _events(symbol, dates, name)
            for symbol, dates in file.dividends.items()
        },
        deliverables={
            root.upper(): Deliverable(one.shares, one.cash, one.multiplier)
            for root, one in file.deliverable.items()
        },
        cash_like=frozenset(_canonical(symbol, name, "cash_like") for symbol in file.cash_like.symbols),
        renames={old: _canonical(new, name, "rename") for old, new in file.rename.items()},
    )


def _by_symbol(values: Mapping[str, float], name: str, table: str) -> dict[str, float]:
    return {_canonical(symbol, name, table): value for symbol, value in values.items()}


def _events(symbol: str, dates: Mapping[str, float], name: str) -> tuple[DividendEvent, ...]:
    """By ex-date, in the currency of the share."""
    found = {}
    for text, amount in dates.items():
        try:
            day = dt.date.fromisoformat(text).toordinal()
        except ValueError as error:
            raise UsageError(f"{name}: [dividends.{symbol}] {text} is no day: {error}") from error
        if not math.isfinite(amount):
            raise UsageError(f"{name}: [dividends.{symbol}] {text}: {amount} is not a finite number")
        found[day] = amount
    return tuple(DividendEvent(day, found[day], None, declared=True) for day in sorted(found))


def _canonical(symbol: str, name: str, table: str) -> str:
    try:
        return normalise(symbol)
    except SymbolError as error:
        raise UsageError(f"{name}: [{table}] {error}") from error
