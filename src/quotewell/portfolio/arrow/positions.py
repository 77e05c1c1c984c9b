"""Positions as an Arrow table: what the broker said, one row for each position and pending amount."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from quotewell.errors import UsageError
from quotewell.portfolio.arrow.tables import (
    as_table,
    codes_of,
    finite_of,
    floats_of,
    from_codes,
    instants_of,
    integers_of,
    known,
    metadata_of,
    module,
    nullable,
    texts_of,
    to_instants,
    with_metadata,
)
from quotewell.portfolio.columns import KINDS, OPTION, PENDING
from quotewell.portfolio.holdings import Holdings, encoded, floats
from quotewell.portfolio.importers.instruments import Reported, position_of
from quotewell.portfolio.importers.outcome import PENDING_WITHOUT_AMOUNT, ImportedFile, RejectedRow, RowError
from quotewell.portfolio.needs import Entry
from quotewell.portfolio.positions import OptionPosition, PendingActivity, Position
from quotewell.symbols import parse_option

__all__ = ["TEXTS", "file_from_arrow", "holdings_from_arrow", "positions_to_arrow"]

TEXTS = (
    "kind", "symbol", "raw_symbol", "description", "currency", "account", "account_name", "leg", "file",
)  # fmt: skip
_FIGURES = ("quantity", "price", "value", "cost_basis", "fx_rate", "multiplier")
_INFINITE = (math.inf, -math.inf)
_SHOWN = 200


def positions_to_arrow(entries: Sequence[Entry], file: ImportedFile) -> Any:
    """The rows of a book as a `pyarrow.Table`; see docs/columns.md for its columns.

    Args:
        entries: Positions and pending activity.
        file: Where they come from; its broker, name, currency and as-of go into the metadata.

    Raises:
        UsageError: pyarrow is not installed.
    """
    pa = module()

    def said(name: str) -> list[Any]:
        return [getattr(entry, name, None) for entry in entries]

    columns: dict[str, Any] = {}
    for name in TEXTS:
        values, codes = encoded(said(name))
        columns[name] = from_codes(codes, values)
    columns |= {name: nullable(floats(said(name))) for name in _FIGURES}
    columns["line"] = pa.array(said("line"), pa.int64())
    columns["as_of"] = to_instants(file.as_of if entry.as_of is None else entry.as_of for entry in entries)
    return with_metadata(
        pa.table(columns),
        {
            "schema": 1,
            "broker": file.broker,
            "path": file.path,
            "as_of": file.as_of,
            "base": file.base_currency,
        },
    )


def file_from_arrow(data: Any, *, name: str = "table", as_of: float | None = None) -> ImportedFile:
    """Positions, pending activity and rejected rows of a table; its rows are in one of them.

    Args:
        data: A table of pyarrow, pandas, polars or another that speaks Arrow, with the columns `symbol` and
            `quantity` at least; docs/columns.md lists the others. More are not read.
        name: What messages call it, where its metadata does not say.
        as_of: When its prices were the market's, epoch seconds; by default what the table says.

    Raises:
        UsageError: It is no table, lacks a column, or one is of another type; or pyarrow is not installed.
    """
    table = as_table(data, ("symbol", "quantity"), "positions")
    said = metadata_of(table)
    instants = instants_of(table, "as_of")
    if as_of is None:
        as_of = said.get("as_of", _only(instants))
    file = ImportedFile(
        broker=said.get("broker", "arrow"),
        path=said.get("path", name),
        as_of=as_of,
        base_currency=said.get("base"),
    )
    columns: dict[str, list[Any]] = {name: texts_of(table, name) for name in TEXTS}
    columns |= {name: known(floats_of(table, name)) for name in _FIGURES}
    columns["as_of"] = known(np.where(instants == as_of, np.nan, instants))
    columns["line"] = integers_of(table, "line")
    for place, values in enumerate(zip(*columns.values(), strict=True), start=1):
        row = dict(zip(columns, values, strict=True))
        row["line"] = row["line"] or place
        try:
            entry = _entry(row)
        except RowError as error:
            shown = ",".join(str(value) for value in values if value is not None)
            file.rejected.append(RejectedRow(row["line"], shown[:_SHOWN], str(error), row["file"]))
            continue
        entry.file, entry.fx_rate, entry.as_of = row["file"], row["fx_rate"], row["as_of"]
        if isinstance(entry, OptionPosition):
            entry.multiplier = row["multiplier"]
        file.add(entry)
    return file


def holdings_from_arrow(data: Any) -> Holdings:
    """What the rows of a table say, which `positions_to_arrow` or something like it has written.

    Raises:
        UsageError: A row has no kind or an unknown one, or its symbol is none of that kind.
    """
    table = as_table(data, ("kind", "symbol", "quantity"), "positions")
    kinds, kind = codes_of(table, "kind")
    unknown = [name for code, name in enumerate(kinds) if name not in KINDS and (kind == code).any()]
    if unknown:
        raise UsageError(
            f"the positions are of unknown kinds: {', '.join(str(name) for name in unknown)}",
            hint=f"one of {', '.join(KINDS)}; Portfolio.from_arrow(table).to_arrow() finds out which",
        )
    kind = np.array([KINDS.index(name) if name in KINDS else -1 for name in kinds], dtype=np.intp)[kind]
    symbols, symbol = codes_of(table, "symbol")
    nameless = np.array([name is None for name in symbols], dtype=bool)[symbol] & (kind != PENDING)
    if nameless.any():
        raise UsageError(f"row {int(np.flatnonzero(nameless)[0]) + 1} of the positions has no symbol")
    for code in np.unique(symbol[kind == OPTION]).tolist():
        option = parse_option(symbols[code] or "")
        if option is None or option.symbol != symbols[code]:
            raise UsageError(f"{symbols[code]} is no option symbol", hint="write it as AAPL250417C00220000")
    currencies, currency = codes_of(table, "currency")
    said = ("quantity", "price", "value", "fx_rate", "multiplier")
    figures = {name: finite_of(table, name, "positions") for name in said}
    return Holdings(
        kind=kind,
        symbols=[name or "" for name in symbols],
        symbol=symbol,
        currencies=currencies,
        currency=currency,
        **figures,
    )


def _entry(row: dict[str, Any]) -> Entry:
    for name in _FIGURES:
        if row[name] in _INFINITE:
            raise RowError(f"{name}: {row[name]} is not a finite number")
    if row["kind"] == "pending":
        if row["value"] is None:
            raise RowError(PENDING_WITHOUT_AMOUNT)
        return PendingActivity(
            description=row["description"] or row["symbol"] or "",
            value=row["value"],
            account=row["account"],
            account_name=row["account_name"],
            currency=row["currency"],
            line=row["line"],
        )
    reported: Reported = {
        "raw_symbol": row["symbol"] or "",
        "description": row["description"] or "",
        "quantity": row["quantity"],
        "price": row["price"],
        "value": row["value"],
        "cost_basis": row["cost_basis"],
        "account": row["account"],
        "account_name": row["account_name"],
        "currency": row["currency"],
        "leg": row["leg"],
        "line": row["line"],
    }
    position: Position = position_of(reported, row["kind"] or "")
    if row["kind"] not in (None, position.kind):
        raise RowError(f"{position.symbol} is of the kind {position.kind}, not {row['kind']}")
    if row["raw_symbol"] is not None:
        position.raw_symbol = row["raw_symbol"]
    return position


def _only(instants: Any) -> float | None:
    """The one instant that all rows name; None if they name none or several."""
    known = np.unique(instants[~np.isnan(instants)])
    return float(known[0]) if known.size == 1 else None
