"""The fault matrix: what a provider's fault makes of every number, measured against the market's own truth.

All here is pure: from what the market said and what the service answers, to one word a need, to the lines of
the table in `docs/reliability.md`. `fault_laboratory` measures.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from quotewell.calendars import close_of
from quotewell.records import Closes, Freshness, Fx, Need, Quote, Rate, Reading, Record, Risk
from quotewell.risks import compute_risks

Verdict = Literal["right", "dated", "stale", "suspect", "unverified", "missing", "wrong", "silent"]
"""`dated`: an older number that its own as-of date tells to be one; `silent`: missing without a reason."""

Truth = Callable[[str, float], tuple[float, str | None]]
"""The right price of a symbol and its currency, both in the major unit, at an instant (epoch seconds)."""

PRICES = ("quote", "fx", "rate")
BENCHMARK = "^GSPC"
HOUR, DAY = 3600.0, 86400.0


# ------------------------------------------------------------------------------------------------ verdicts


def verdict(need: Need, reading: Reading[Record], truth: Truth, now: float) -> Verdict:
    """What has become of a price, an exchange rate or an interest rate.

    Args:
        need: What was asked.
        reading: What the service answers.
        truth: What the market says.
        now: The time of the answer.
    """
    record = reading.record
    value = _value(record)
    if record is None or value is None:
        return "missing" if reading.failure is not None and reading.failure.reason else "silent"
    instant = (record.fetched_at or 0.0) if record.as_of is None else record.as_of
    (then, currency), (right, _) = truth(need[0], instant), truth(need[0], now)
    was_right = _same(value, then)
    suspected = reading.failure is not None and reading.failure.kind == "suspect"
    if isinstance(record, Quote) and record.currency != currency:
        return "wrong"
    if isinstance(record, Quote) and record.unverified:
        return "unverified"
    if reading.freshness == Freshness.STALE or reading.failure is not None:
        return ("suspect" if suspected else "stale") if was_right else "wrong"
    if _same(value, right):
        return "right"
    return "dated" if was_right and now - instant > DAY else "wrong"


def verdict_of_bars(stored: Closes | None, true: Mapping[int, float], reading: Reading[Record]) -> Verdict:
    """What has become of the daily closes of a symbol.

    Args:
        stored: What the service holds.
        true: The right closes by day, up to the last one that is final.
        reading: What the service answers about them.
    """
    if stored is None or not reading.usable:
        return "missing" if reading.failure is not None and reading.failure.reason else "silent"
    if any(not _same(close, true.get(day)) for day, close in zip(stored.dates, stored.closes, strict=True)):
        return "wrong"
    if reading.freshness == Freshness.STALE:
        return "stale"
    return "right" if stored.dates[-1] == max(true) else "dated"


def verdict_of_beta(
    reading: Reading[Record], true: Mapping[str, Mapping[int, float]], stored: Mapping[str, Closes]
) -> Verdict:
    """What has become of a beta: it must be that of the true closes, over the days that it was made from.

    Args:
        reading: What the service answers.
        true: The right closes of the symbol and the benchmark, by symbol and day, up to the last final ones.
        stored: The closes of both that the service holds.
    """
    record = reading.record
    if not isinstance(record, Risk) or record.beta is None:
        return "missing" if reading.failure is not None and reading.failure.reason else "silent"
    is_old = reading.freshness == Freshness.STALE or reading.failure is not None
    if record.method == "stated":  # what the provider says, marked as such
        return "stale" if is_old else "right"
    again: dict[str, Closes] = {}
    for symbol, series in stored.items():
        bars = {day: true[symbol][day] for day in series.dates if day in true[symbol]}
        again[symbol] = Closes(symbol=symbol, source="", dates=list(bars), closes=list(bars.values()))
    end = record.window_end or 0.0
    risks, _, _ = compute_risks([record.symbol], BENCHMARK, again, end)
    if record.symbol not in risks or not _same(record.beta, risks[record.symbol].beta):
        return "wrong"
    if is_old:
        return "stale"
    last = max(true[BENCHMARK])
    if record.method == "ols_weekly":
        last -= (last - 5) % 7  # the last Friday: day 5 was one
    return "right" if end == close_of(dt.date.fromordinal(last)) else "dated"


def _value(record: Record | None) -> float | None:
    if isinstance(record, Quote):
        return record.last
    return record.rate if isinstance(record, (Fx, Rate)) else None


def _same(value: float | None, other: float | None) -> bool:
    return value is not None and other is not None and math.isclose(value, other, rel_tol=1e-9)


# ----------------------------------------------------------------------------------------------- complaints


BELIEVED: Mapping[str, Sequence[str] | None] = {
    "price_and_close_x100": None,
    "wrong_unit": ("VOD.L",),
    "other_currency": ("VOD.L",),
}
"""Answers that agree with themselves about symbols (None: any) that the cache knows nothing of: no evidence
speaks against them, nor for a mark. They are the only wrong numbers, and only with an empty cache."""


def is_believed(fault: str, *, filled: bool) -> bool:
    """Whether a fault is one that nothing can tell from the truth at first sight."""
    return fault in BELIEVED and not filled


def complaints(fault: str, runs: Sequence[Mapping[Need, Verdict]], *, filled: bool) -> list[str]:
    """What speaks against the runs under a fault and after it; empty if all is as it should be.

    Args:
        fault: Its name.
        runs: Verdicts of the run under the fault and of those after it; the last must be right in all.
        filled: Whether there were older values.
    """
    found = [f"not healed: {need} is {word}" for need, word in runs[-1].items() if word != "right"]
    believed = BELIEVED.get(fault, ()) if is_believed(fault, filled=filled) else ()
    for run in runs[:-1]:
        found += [
            f"{need} is {word}"
            for need, word in run.items()
            if word == "silent" or (word == "wrong" and believed is not None and need[0] not in believed)
        ]
    return found


def prices_still_wrong(fault: str, run: Mapping[Need, Verdict], *, filled: bool) -> list[str]:
    """Prices that are not right again two hours after a fault; the other arguments as above.

    A yield that was right for the day before may still answer then: it lives a day.
    """
    believed = BELIEVED.get(fault, ()) if is_believed(fault, filled=filled) else ()
    return [
        f"{need} is {word}"
        for need, word in run.items()
        if need[1] in ("quote", "fx") and word != "right" and believed is not None and need[0] not in believed
    ]


# ---------------------------------------------------------------------------------------------------- table


HEADER = (
    "| Fault | Requests | Prices, empty cache | Betas, empty cache | Prices, older | Betas, older |",
    "|---|---|---|---|---|---|",
)


class Seen(NamedTuple):
    """What one run under a fault came to: verdicts, the failures' kinds, requests."""

    verdicts: Mapping[Need, Verdict]
    kinds: Mapping[Need, str]
    requests: int


def row(fault: str, empty: Seen, older: Seen) -> str:
    """A line of the table in `docs/reliability.md`: a fault that hits every request."""
    requests = (
        f"{empty.requests}" if empty.requests == older.requests else f"{empty.requests}, {older.requests}"
    )
    cells = [
        _cell(seen, facets) for seen in (empty, older) for facets in (("quote", "fx", "rate"), ("risk",))
    ]
    return f"| {fault} | {requests} | {' | '.join(cells)} |"


def _cell(seen: Seen, facets: Collection[str]) -> str:
    counts: Counter[str] = Counter()
    for need, word in seen.verdicts.items():
        if need[1] in facets:
            kind = seen.kinds.get(need)
            counts[word if kind is None or word == "suspect" else f"{word} ({kind})"] += 1
    if len(counts) == 1:
        return next(iter(counts))
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{count} {word}" for word, count in ordered)
