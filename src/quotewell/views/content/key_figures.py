"""The figures that are read first, each with what it leaves out or rests on."""

from __future__ import annotations

from typing import Literal

import msgspec

from quotewell.portfolio.summary import NetBucket, Summary
from quotewell.views.charts import Sparkline, sparkline
from quotewell.views.content.overview import Overview
from quotewell.views.render.amounts import Unit, unit_for
from quotewell.views.words import NOT_AVAILABLE, count, percent, signed

__all__ = ["KeyFigure", "key_figures", "unit_of"]


class KeyFigure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure."""

    name: str
    text: str
    """The amount."""
    tone: Literal["gain", "loss", ""] = ""
    """Of a change: what its sign says, too."""
    beside: str = ""
    """The same as a share, or another that goes with it."""
    marker: str = ""
    """What it leaves out or rests on; empty where there is nothing to say."""
    explained: str = ""
    """The marker at length."""
    past: Sparkline | None = None
    """How it came here; None where no honest line can be drawn.

    Only the value has one, of its shares. Exposures rest on deltas, and with beta on betas, that nobody has
    kept; netted by underlying they would not be the figure without them. A day's change is that line's last
    step.
    """


def unit_of(summary: Summary) -> Unit:
    """The unit in which the amounts of a report are written."""
    gross = summary.exposure_by_underlying.gross
    return unit_for([summary.value.total, gross.total, gross.beta_adjusted], summary.base_currency)


def key_figures(shown: Overview) -> tuple[KeyFigure, ...]:
    """Value, net, gross, beta-adjusted and the day's change: exposures netted by underlying first."""
    summary, unit = shown.summary, unit_of(shown.summary)
    exposures = summary.exposure_by_underlying
    return (
        _value(shown, unit),
        _exposure("Net exposure", exposures.net, unit),
        _exposure("Gross exposure", exposures.gross, unit),
        _beta_adjusted(summary, unit),
        _day(shown, unit),
    )


def _value(shown: Overview, unit: Unit) -> KeyFigure:
    summary, value = shown.summary, shown.summary.value
    marker, explained = _missing(value.missing)
    stale = summary.freshness.stale
    if not marker and stale:
        marker, explained = f"~{stale} stale", f"{count(stale, 'price')} could not be had anew"
    return KeyFigure(
        name=f"Value, {unit.name}",
        text=unit.text(value.total),
        beside=_difference(summary, unit),
        marker=marker,
        explained=explained,
        past=None if shown.past is None else sparkline(shown.past, unit),
    )


def _difference(summary: Summary, unit: Unit) -> str:
    difference = summary.value.difference
    if difference is None:
        return ""
    if abs(difference) <= 1.0:
        return "equal to the broker's"
    return f"{unit.change(difference).plain} to the broker's"


def _exposure(name: str, bucket: NetBucket, unit: Unit) -> KeyFigure:
    marker, explained = _missing(bucket.missing)
    return KeyFigure(
        name=name,
        text=unit.text(bucket.total),
        beside=_of_value(bucket.share_of_value),
        marker=marker,
        explained=explained,
    )


def _beta_adjusted(summary: Summary, unit: Unit) -> KeyFigure:
    net = summary.exposure_by_underlying.net
    marker, explained = _missing(net.beta_adjusted_missing)
    foreign = {"stated": "~", "given": "!"}
    shares = summary.betas.share_by_method
    named = [(mark, shares.get(method, 0.0)) for method, mark in foreign.items() if shares.get(method)]
    if not marker and named:
        marker = " ".join(f"{mark}{percent(part, 0)} %" for mark, part in named)
        explained = "of it rests on betas that the provider states (~) or that are assumed (!)"
    total = summary.value.total
    part = None if net.beta_adjusted is None or total is None or total <= 0 else net.beta_adjusted / total
    return KeyFigure(
        name="Beta-adjusted",
        text=unit.text(net.beta_adjusted),
        beside=_of_value(part),
        marker=marker,
        explained=explained,
    )


def _day(shown: Overview, unit: Unit) -> KeyFigure:
    day = shown.day
    marker, explained = _missing(day.missing)
    tone: Literal["gain", "loss", ""] = ""
    if day.amount is not None and round(day.amount, 2):
        tone = "gain" if day.amount > 0 else "loss"
    return KeyFigure(
        name="Day's change",
        text=unit.change(day.amount).plain,
        tone=tone,
        beside="" if day.fraction is None else f"{signed(day.fraction * 100, 2)} %",
        marker=marker,
        explained=explained,
    )


def _missing(symbols: tuple[str, ...]) -> tuple[str, str]:
    if not symbols:
        return "", ""
    return f"≥ {len(symbols)} missing", f"not in it: {', '.join(symbols)}"


def _of_value(share: float | None) -> str:
    return NOT_AVAILABLE if share is None else f"{percent(share)} % of value"
