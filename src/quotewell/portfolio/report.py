"""Columns → the summary that people and `--json` see."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter

import numpy as np

from quotewell.analytics.arrays import Integers, distinct
from quotewell.analytics.exposure import ByUnderlying, fraction_of_value
from quotewell.analytics.grouping import Grouping
from quotewell.portfolio.basis import Basis
from quotewell.portfolio.columns import CASH, KINDS, OPTION, PENDING, STOCK, UNKNOWN, Columns
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.importers.outcome import ImportedFile
from quotewell.portfolio.inputs import is_adjusted, risk_of
from quotewell.portfolio.needs import valuation_day
from quotewell.portfolio.positions import OptionPosition
from quotewell.portfolio.summary import (
    BetaState,
    Counts,
    ExpiringOption,
    OldestPrice,
    PriceFreshness,
    UnderlyingRow,
)
from quotewell.records import Freshness, Risk

__all__ = ["beta_state", "counts", "expiring", "instant", "price_freshness", "underlying_rows"]

_SOON = 14
_YEAR = 365.0


def instant(epoch: float | None) -> dt.datetime | None:
    """Epoch seconds as a UTC time."""
    return None if epoch is None else dt.datetime.fromtimestamp(epoch, dt.UTC)


def counts(file: ImportedFile, columns: Columns) -> Counts:
    """Rows of the file by what became of them."""
    found = np.bincount(columns.kind, minlength=len(KINDS)).tolist()
    return Counts(
        rows=sum(found) + len(file.rejected),
        stocks=found[STOCK],
        options=found[OPTION],
        cash=found[CASH],
        pending=found[PENDING],
        unknown=found[UNKNOWN],
        rejected=len(file.rejected),
    )


def price_freshness(columns: Columns) -> PriceFreshness:
    """How old the prices of the distinct stocks and contracts are."""
    rows = columns.is_kind(STOCK, OPTION) & ~columns.has(Flag.EXPIRED)
    state = Counter[str]()
    oldest: tuple[float, str] | None = None
    for symbol in columns.symbols(rows):
        found = columns.snapshot.quotes.get(symbol)
        if found is None or not found.best.usable or found.best.record is None:
            state["missing"] += 1
            continue
        state["stale" if found.best.freshness == Freshness.STALE else "fresh"] += 1
        as_of = found.best.record.as_of
        if as_of is not None and (oldest is None or as_of < oldest[0]):
            oldest = as_of, symbol
    return PriceFreshness(
        fresh=state["fresh"],
        stale=state["stale"],
        missing=state["missing"],
        oldest=None if oldest is None else _oldest(*oldest, columns.snapshot.at),
    )


def beta_state(columns: Columns, basis: Basis) -> BetaState:
    """Where the betas of the underlyings come from."""
    moving = columns.has_exposure & ~columns.is_kind(UNKNOWN) & ~columns.has(Flag.EXPIRED)
    group = columns.underlying[moving]
    codes = group[distinct(group)[0]]
    firsts = _first_rows(group, len(columns.underlyings))[codes]
    beta = columns.beta[moving][firsts]
    adjusted = np.abs(np.nan_to_num(columns.beta_adjusted[moving]))
    size_of = Grouping.of(group, len(columns.underlyings)).sums(adjusted).net
    methods = Counter[str]()
    sizes: dict[str, float] = {}
    risks: list[Risk] = []
    for code in codes[~np.isnan(beta)].tolist():
        risk = risk_of(columns.underlyings[code], columns.snapshot, basis)
        method = _method(columns.underlyings[code], risk, basis)
        methods[method] += 1
        sizes[method] = sizes.get(method, 0.0) + float(size_of[code])
        if risk is not None:
            risks.append(risk)
    total = sum(sizes.values())
    starts = [risk.window_start for risk in risks if risk.window_start is not None]
    ends = [risk.window_end for risk in risks if risk.window_end is not None]
    return BetaState(
        known=methods.total(),
        needed=len(codes),
        by_method=dict(methods),
        share_by_method={method: size / total for method, size in sizes.items() if total},
        returns=max(
            (risk.n for risk in risks if risk.n is not None and risk.method != "stated"), default=None
        ),
        window_start=instant(min(starts, default=None)),
        window_end=instant(max(ends, default=None)),
    )


def underlying_rows(
    columns: Columns, netted: ByUnderlying, basis: Basis, total_value: float | None
) -> tuple[UnderlyingRow, ...]:
    """One row an underlying, the largest exposure first, those of unknown exposure last."""
    moving = columns.has_exposure
    value = netted.grouping.sums(columns.value[moving])
    complete = netted.total.complete & value.complete
    first_row = _first_rows(columns.underlying, len(columns.underlyings))
    found = [
        _underlying_row(
            columns, basis, int(first_row[code]),
            positions=int(netted.grouping.sizes[place]),
            value=_known(value.net[place]),
            exposure=_known(netted.total.net[place]),
            beta_adjusted=_known(netted.beta_adjusted.net[place]),
            complete=bool(complete[place]),
            total_value=total_value,
        )
        for place, code in enumerate(netted.underlyings.tolist())
    ]  # fmt: skip
    return tuple(
        sorted(found, key=lambda row: -1.0 if row.exposure is None else abs(row.exposure), reverse=True)
    )


def expiring(columns: Columns) -> tuple[ExpiringOption, ...]:
    """Option rows that expire within 14 days of the valuation, the earliest first."""
    at = columns.snapshot.at
    if at is None:
        return ()
    found = []
    near = columns.is_kind(OPTION) & (columns.contracts.years * _YEAR < _SOON + 2)
    for row in np.flatnonzero(near).tolist():
        entry = columns.entries[row]
        if not isinstance(entry, OptionPosition):
            continue
        contract = entry.contract
        days = (contract.expiry - valuation_day(at)).days
        if not 0 <= days <= _SOON:
            continue
        found.append(
            ExpiringOption(
                symbol=contract.symbol,
                underlying=contract.underlying,
                expiry=contract.expiry,
                days=days,
                right=contract.right,
                strike=contract.strike,
                quantity=entry.quantity,
                account=entry.account or entry.account_name,
                line=entry.line,
                in_the_money=_in_the_money(contract.is_call, float(columns.spot[row]), contract.strike),
                assignment=Flag.ASSIGNMENT in Flag(int(columns.flags[row])),
            )
        )
    return tuple(sorted(found, key=lambda option: (option.expiry, option.symbol)))


def _oldest(as_of: float, symbol: str, at: float | None) -> OldestPrice:
    age = None if at is None else at - as_of
    return OldestPrice(symbol=symbol, as_of=dt.datetime.fromtimestamp(as_of, dt.UTC), age=age)


def _method(symbol: str, risk: Risk | None, basis: Basis) -> str:
    if symbol in basis.betas:
        return "override"
    if symbol == basis.benchmark:
        return "identity"
    if risk is None:
        return "given"
    return f"{risk.method}_blume" if is_adjusted(risk, basis) else risk.method or "stated"


def _underlying_row(
    columns: Columns,
    basis: Basis,
    first: int,
    *,
    positions: int,
    value: float | None,
    exposure: float | None,
    beta_adjusted: float | None,
    complete: bool,
    total_value: float | None,
) -> UnderlyingRow:
    symbol = columns.underlyings[int(columns.underlying[first])]
    beta = _known(columns.beta[first])
    risk = risk_of(symbol, columns.snapshot, basis)
    profile = columns.snapshot.profiles.get(symbol)
    quote = columns.snapshot.quotes.get(symbol)
    record = quote.best.record if quote is not None and quote.best.usable else None
    return UnderlyingRow(
        underlying=symbol,
        name=profile.record.name if profile is not None and profile.record is not None else None,
        positions=positions,
        value=value,
        exposure=exposure,
        share_of_value=fraction_of_value(exposure, total_value),
        beta=beta,
        beta_method=None if beta is None else _method(symbol, risk, basis),
        beta_n=risk.n if risk is not None else None,
        beta_standard_error=risk.standard_error if risk is not None else None,
        beta_r_squared=risk.r_squared if risk is not None else None,
        beta_stale=Flag.STALE_BETA in Flag(int(columns.flags[first])),
        beta_adjusted=beta_adjusted,
        price=record.last if record is not None else None,
        currency=record.currency if record is not None else None,
        complete=complete,
    )


def _first_rows(group: Integers, groups: int) -> Integers:
    """The first row of each group; -1 for one without rows. Codes below 0 are of no group."""
    rows = np.flatnonzero(group >= 0)[::-1]
    first = np.full(groups, -1)
    first[group[rows]] = rows  # of several rows of a group the last in this order stays
    return first


def _in_the_money(is_call: bool, spot: float, strike: float) -> bool | None:
    if math.isnan(spot):
        return None
    return spot > strike if is_call else spot < strike


def _known(figure: float) -> float | None:
    return None if math.isnan(figure) else float(figure)
