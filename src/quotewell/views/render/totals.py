"""Values by kind beside exposures by leg and by underlying, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence

from quotewell.portfolio.summary import Bucket, NetBucket, Summary
from quotewell.views.render.amounts import Unit, coloured, values_by_kind
from quotewell.views.render.layout import (
    EMPTY,
    Column,
    Line,
    Overhang,
    Row,
    Table,
    cell,
    packed,
    side_by_side,
    wrapped,
)
from quotewell.views.render.text import Text
from quotewell.views.words import NOT_AVAILABLE, count, number, percent, share

__all__ = ["missing", "notes", "totals"]

_RECONCILES_WITHIN = 1.0
_GAP = 4
_SHARE = 1
"""The turn in which the shares of value go, which the reader can work out."""
_ROUNDING = 1e-9


def totals(summary: Summary, unit: Unit, width: int) -> list[Line]:
    """Two tables, beside each other where there is room."""
    value = Table([Column("Value", left=True), Column(unit.name), Column("%")], _value_rows(summary, unit))
    exposure = Table(
        [
            Column("Exposure", left=True),
            Column("stocks", goes=2),
            Column("options", goes=2),
            Column("total"),
            Column("% value", goes=_SHARE),
            Column("beta-adj"),
        ],
        _exposure_rows(summary, unit),
    )
    room = width - value.width - _GAP
    beside = exposure if exposure.width <= room else exposure.without(_SHARE)
    if beside.width <= room:
        return side_by_side(value.lines(), beside.lines(), _GAP)
    return [*value.lines(), EMPTY, *exposure.fitted(width).lines()]


def missing(symbols: Sequence[str]) -> Text:
    """What stands beside a sum that leaves something out; nothing if it does not."""
    return Overhang(f"≥ {number(len(symbols))} missing", style="yellow") if symbols else EMPTY


def notes(summary: Summary, unit: Unit, width: int) -> list[Line]:
    """What the figures above do not say: differences, assumptions, sensitivities, currencies."""
    lines = _difference(summary, unit, width)
    for sentence in [*_assumptions(summary, unit), *_foreign_betas(summary)]:
        lines += wrapped(f"! {sentence}", width, "yellow", indent="  ")
    lines += _greeks(summary, unit, width)
    if len(summary.by_currency) > 1:
        parts = [cell(f"{name} {unit.text(amount)}") for name, amount in summary.by_currency.items()]
        lines += packed(parts, width, "By currency: ")
    return lines


def _value_rows(summary: Summary, unit: Unit) -> list[Row]:
    value = summary.value
    total = value.total
    rows: list[Row] = [
        [cell(name), unit.amount(amount), coloured(percent(_fraction(amount, total)))]
        for name, amount in values_by_kind(summary)
    ]
    rows.append(
        [cell("Total", "bold"), unit.amount(total, "bold"), coloured(percent(_fraction(total, total)))]
    )
    if not value.complete:
        rows.append([EMPTY, missing(value.missing), EMPTY])
    reconciles = value.difference is not None and abs(value.difference) <= _RECONCILES_WITHIN
    rows.append([cell("Broker says"), unit.amount(value.broker_total), EMPTY])
    if value.difference is not None:
        tick = cell("✓", "bold") if reconciles else EMPTY
        rows.append([cell("Difference"), unit.amount(value.difference), tick])
    return rows


def _fraction(amount: float | None, total: float | None) -> float | None:
    return amount / total if amount is not None and total is not None and total > 0 else None


def _exposure_rows(summary: Summary, unit: Unit) -> list[Row]:
    by_leg, netted = summary.exposure, summary.exposure_by_underlying
    rows: list[Row] = [
        _bucket_row("Long", by_leg.long, unit),
        _bucket_row("Short", by_leg.short, unit),
        _bucket_row("Net", by_leg.net, unit),
        _bucket_row("Gross", by_leg.gross, unit),
        cell("Net, by underlying first", "bold"),
        _bucket_row("Long", netted.long, unit),
        _bucket_row("Short", netted.short, unit),
        _bucket_row("Net", netted.net, unit),
        _bucket_row("Gross", netted.gross, unit),
    ]
    net = by_leg.net
    if not (net.complete and net.beta_adjusted_complete):
        footer = [EMPTY, EMPTY, EMPTY, missing(net.missing), EMPTY, missing(net.beta_adjusted_missing)]
        rows.append(footer)
    return rows


def _bucket_row(name: str, bucket: NetBucket, unit: Unit) -> Row:
    by_kind = (bucket.stocks, bucket.options) if isinstance(bucket, Bucket) else None
    return [
        cell(name),
        *([unit.amount(amount) for amount in by_kind] if by_kind else (EMPTY, EMPTY)),
        unit.amount(bucket.total),
        coloured(percent(bucket.share_of_value)),
        unit.amount(bucket.beta_adjusted),
    ]


def _difference(summary: Summary, unit: Unit, width: int) -> list[Line]:
    parts, difference = summary.value.difference_parts, summary.value.difference
    if parts is None or difference is None:
        return []
    if abs(difference) <= _RECONCILES_WITHIN and not summary.disputed:
        return []
    named = (
        ("price moves", parts.price),
        (count(len(summary.disputed), "disputed row"), parts.disputed),
        ("exchange rates", parts.fx),
        ("not valued", parts.unpriced),
        ("not reported", parts.unreported),
        ("rounding", parts.rounding),
    )
    items = [Text.assemble(f"{name} ", unit.change(amount)) for name, amount in named if abs(amount) > 0.005]
    return packed(items, width, "Difference: ")


def _assumptions(summary: Summary, unit: Unit) -> list[str]:
    """Which part of the deltas rests on rates and yields that nobody knows, and how much it matters."""
    assumed = summary.assumptions
    zeros = []
    if assumed.rate:
        zeros.append(f"an interest rate of 0 ({count(assumed.rate, 'row')}; --rate)")
    if assumed.dividend:
        zeros.append(f"a dividend yield of 0 ({count(assumed.dividend, 'row')}; --dividend-yield)")
    if not zeros:
        return []
    part = summary.coverage.delta_assumed
    sentence = f"{'part' if part is None else share(part)} of option exposure assumes {' and '.join(zeros)}"
    if assumed.net_exposure_change is not None:
        change = unit.change(assumed.net_exposure_change).plain
        sentence += f"; a yield of 2 % would change net exposure by {change}"
    return [sentence]


def _foreign_betas(summary: Summary) -> list[str]:
    """How much of the beta-adjusted exposure rests on betas that are not our own regressions."""
    shares = summary.betas.share_by_method
    stated, given = shares.get("stated", 0.0), shares.get("given", 0.0)
    if not stated:
        return [f"{share(given)} of beta-adjusted exposure rests on assumed betas"] if given else []
    more = f", {share(given)} on assumed ones" if given else ""
    return [f"{share(stated)} of beta-adjusted exposure rests on the provider's betas{more}"]


def _greeks(summary: Summary, unit: Unit, width: int) -> list[Line]:
    greeks, coverage = summary.greeks, summary.coverage
    if not summary.counts.options:
        return []
    named = (
        ("gamma", greeks.gamma, "per +1 %"),
        ("vega", greeks.vega, "per vol. point"),
        ("theta", greeks.theta, "per day"),
        ("rho", greeks.rho, "per bp"),
    )
    items = [Text.assemble(f"{name} ", unit.change(amount), f" {per}") for name, amount, per in named]
    if coverage.delta is None:
        items.append(cell(f"deltas {NOT_AVAILABLE}", "yellow"))
    elif coverage.delta < 1 - _ROUNDING:
        items.append(cell(f"deltas known for {share(coverage.delta)} of them by notional", "yellow"))
    return packed(items, width, "Options: ")
