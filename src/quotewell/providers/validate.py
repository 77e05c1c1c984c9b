"""The border: every value that a provider brings passes here once, before it is stored.

All functions are pure. A number that is no finite number becomes None, wherever it stands; a record whose
essential value is then missing becomes a failure of kind `invalid`. Prices, closes and dividends leave in the
major unit of their currency (pounds, never pence). What a price must satisfy besides stands in `plausible`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from quotewell.endpoints import Fetched
from quotewell.errors import ProviderError
from quotewell.providers.checked_values import (
    check_events,
    check_splits,
    finite,
    in_major,
    positive,
    scaled,
)
from quotewell.providers.outliers import without_outliers
from quotewell.providers.plausible import (
    SuspectPrice,
    doubt_of_rate,
    doubt_of_scale,
    doubt_of_unit,
    doubt_of_yield,
    is_confirmed,
    weigh,
)
from quotewell.providers.units import may_be_hundredths, unit_problem
from quotewell.records import (
    Closes,
    Dividend,
    Fx,
    History,
    Need,
    Payouts,
    Profile,
    Quote,
    Rate,
    Record,
    Risk,
)
from quotewell.symbols import minor_unit

__all__ = [
    "Stored",
    "check",
    "check_closes",
    "check_dividend",
    "check_payouts",
    "check_profile",
    "check_quote",
    "held_back",
]

Stored = Mapping[Need, Record]
"""What is stored now, with or without a value."""

_FUTURE_TOLERANCE = 60.0
_MAX_BETA = 20.0
_MINOR_TO_MAJOR = {"GBP", "ILS", "ZAR"}
"""Currencies whose exchange quotes in hundredths: without a unit in the answer, 250 may be 250 or 2.50."""
_AS_TOLD = "files"
"""The user's own files, which may list anything in any currency, and are nobody's fault."""


def check(
    fetched: Fetched,
    stored: Stored,
    now: float,
    bars: Mapping[str, Closes] | None = None,
    refused: Mapping[str, SuspectPrice] | None = None,
) -> Fetched:
    """Check all that one call brought.

    Args:
        fetched: The answer; left as it is.
        stored: The stored quotes, profiles and histories of the symbols in the answer, as far as there are
            any: quotes are the evidence that prices and closes are weighed against, profiles tell the
            currency of a price that names none, histories whether closes have been held back before.
        now: Epoch seconds.
        bars: The stored closes of symbols in the answer that have no stored price, to weigh closes against.
        refused: By symbol, the last price that was held back: another provider may confirm it.

    Returns:
        A new answer: each need that was in `found` is there still, or in `failed` as `invalid` or `suspect`.
        All other outcomes are passed on. For suspect prices see `held_back`.
    """
    answer = _Answer(fetched, stored, now, bars or {}, refused or {})
    checked = Fetched(unknown=set(fetched.unknown), omitted=set(fetched.omitted), failed=dict(fetched.failed))
    # Quotes first: what is wrong with one is wrong with the figures that came out of the same row.
    for need, record in sorted(fetched.found.items(), key=lambda entry: entry[0][1] != "quote"):
        try:
            checked.found[need] = _admit(need, record, answer, checked)
        except ProviderError as error:
            checked.failed[need] = error
    return checked


def held_back(checked: Fetched) -> dict[str, SuspectPrice]:
    """By symbol, the prices that were held back.

    Where one has a `kept`, the stored quote that names the refused price, store that before the failures.
    """
    return {need[0]: error for need, error in checked.failed.items() if isinstance(error, SuspectPrice)}


class _Answer(NamedTuple):
    """What a record is checked against: the rest of its answer, what is stored, the time."""

    fetched: Fetched
    stored: Stored
    now: float
    bars: Mapping[str, Closes]
    refused: Mapping[str, SuspectPrice]

    def currency(self, record: Quote | Payouts | History) -> str | None:
        """The unit of a record's prices: its own, its answer's, or the profile's where that is no guess."""
        own = None if isinstance(record, Payouts) else record.currency
        if own:
            return own
        besides = (self.fetched.found.get((record.symbol, facet)) for facet in ("quote", "profile"))
        for beside in besides:
            if isinstance(beside, (Quote, Profile)) and beside.currency:
                return beside.currency
        profile = self.stored.get((record.symbol, "profile"))
        if not isinstance(profile, Profile) or profile.currency in _MINOR_TO_MAJOR:
            return None
        return profile.currency or None


def _admit(need: Need, record: Record, answer: _Answer, checked: Fetched) -> Record:
    symbol = need[0]
    if record.symbol != symbol:
        raise _invalid(record, f"the answer for {symbol} is about {record.symbol}")
    record = _dated(record, answer.now)
    if isinstance(record, Quote):
        return _admit_quote(record, answer)
    if isinstance(record, Profile):
        return _admit_profile(record, answer)
    if isinstance(record, Dividend):
        return check_dividend(record)
    if isinstance(record, Payouts):
        return _admit_payouts(record, answer, checked)
    if isinstance(record, History):
        return _admit_history(record, answer, checked.closes)
    figure = _check_figure(record)
    if isinstance(record, (Fx, Rate)) and record.source != _AS_TOLD:
        _require_believed(record, answer, checked)
    return figure


def _require_believed(record: Fx | Rate, answer: _Answer, checked: Fetched) -> None:
    """Refuse a figure that was made of a price which is refused, or has no evidence: it has no such mark."""
    need = (record.symbol, "quote")
    price, before, admitted = answer.fetched.found.get(need), answer.stored.get(need), checked.found.get(need)
    if not isinstance(price, Quote):
        return
    if isinstance(record, Rate):
        doubt = doubt_of_yield(price, before if isinstance(before, Quote) else None, answer.now)
    else:
        doubt = doubt_of_rate(admitted if isinstance(admitted, Quote) else None)
    if doubt:
        raise ProviderError(record.source or "", "suspect", f"{record.symbol}: held back: {doubt}")


def _check_figure(record: Record) -> Record:
    if isinstance(record, Fx):
        rate = positive(record.rate)
        _require(record, rate, f"exchange rate {record.rate!r} is not a positive number")
        return msgspec.structs.replace(record, rate=rate)
    if isinstance(record, Rate):
        interest, years = _fraction(record.rate), positive(record.years)
        _require(record, interest, f"interest rate {record.rate!r} is not a fraction between -1 and 1")
        _require(record, years, f"term {record.years!r} is not a positive number of years")
        return msgspec.structs.replace(record, years=years, rate=interest)
    if isinstance(record, Risk):
        beta = _beta(record.beta)
        _require(record, beta, f"beta {record.beta!r} is not a number of at most {_MAX_BETA:g} in size")
        return msgspec.structs.replace(record, beta=beta)
    return record


def check_quote(quote: Quote, currency: str | None) -> Quote:
    """Check the fields of a quote and bring its prices to the major unit.

    Args:
        quote: As the provider gave it.
        currency: The unit that its prices are in, minor units included; None if nobody knows.

    Raises:
        ProviderError: `invalid`, if the price is not a positive number or has no currency.
    """
    last = positive(quote.last)
    _require(quote, last, f"price {quote.last!r} is not a positive number")
    if currency is None:
        raise _invalid(quote, f"price {quote.last!r} has no currency, and no cached profile settles it")
    major, scale = in_major(currency)
    return msgspec.structs.replace(
        quote,
        last=scaled(last, scale),
        bid=scaled(positive(quote.bid), scale),
        ask=scaled(positive(quote.ask), scale),
        previous_close=scaled(positive(quote.previous_close), scale),
        currency=major,
        delay=_not_negative(quote.delay),
    )


def check_profile(profile: Profile) -> Profile:
    """Check a profile: a stated beta beyond ±20 becomes None, the currency a major unit."""
    currency = profile.currency
    return msgspec.structs.replace(
        profile,
        stated_beta=_beta(profile.stated_beta),
        currency=None if currency is None else minor_unit(currency)[0],
    )


def check_dividend(dividend: Dividend) -> Dividend:
    """Check a dividend record: a yield in [0, 1) or None.

    Raises:
        ProviderError: `invalid`, if a yield was given and is none.
    """
    stated = finite(dividend.dividend_yield)
    dividend_yield = stated if stated is not None and 0.0 <= stated < 1.0 else None
    if dividend_yield is None and dividend.dividend_yield is not None:
        raise _invalid(dividend, f"dividend yield {dividend.dividend_yield!r} is not a fraction from 0 to 1")
    return msgspec.structs.replace(dividend, dividend_yield=dividend_yield)


def check_payouts(payouts: Payouts, currency: str | None) -> Payouts:
    """Check a record of dividends: amounts positive, in the major unit, by date; others are dropped.

    Args:
        payouts: As the provider gave it.
        currency: The unit of events that name none.
    """
    return msgspec.structs.replace(payouts, events=check_events(payouts.events, currency))


def check_closes(closes: Closes, currency: str | None, last_day: int) -> Closes:
    """Check a series: positive closes in the major unit, dates strictly increasing and at most `last_day`.

    Bad bars are dropped, and outliers (see `outliers`); of several bars of one day the last one wins.

    Args:
        closes: As the provider gave it.
        currency: The unit of the closes; None leaves them as they are.
        last_day: The last ordinal day that a bar may have.
    """
    scale = 1 if currency is None else in_major(currency)[1]
    bars: dict[int, float] = {}
    for date, close in zip(closes.dates, closes.closes, strict=False):
        price = scaled(positive(close), scale)
        if price is not None and 0 < date <= last_day:
            bars[date] = price
    days = sorted(bars)
    dates = [days[position] for position in without_outliers([bars[day] for day in days])]
    return msgspec.structs.replace(
        closes,
        dates=dates,
        closes=[bars[date] for date in dates],
        splits=check_splits(closes.splits),
        dividends=check_events(closes.dividends, currency),
    )


def _admit_quote(record: Quote, answer: _Answer) -> Quote:
    currency = answer.currency(record)
    _require_possible_unit(record, currency)
    quote = check_quote(record, currency)
    before = answer.stored.get((record.symbol, "quote"))
    bars = answer.fetched.closes.get(record.symbol)
    splits = check_splits(bars.splits) if bars else ()
    stored = before if isinstance(before, Quote) else None
    rate = answer.stored.get((record.symbol, "fx"))
    if stored is not None and rate is not None and is_confirmed(rate, answer.now):
        stored = msgspec.structs.replace(stored, failure=rate.failure)  # who asks for rates asks for no price
    return weigh(quote, stored, splits, answer.now, answer.refused.get(record.symbol))


def _admit_profile(profile: Profile, answer: _Answer) -> Profile:
    checked = check_profile(profile)
    before = answer.stored.get((profile.symbol, "quote"))
    currency = before.currency if isinstance(before, Quote) else None
    if checked.currency is not None:
        _require_possible_unit(profile, profile.currency)
    if checked.currency is None or currency is None or checked.currency == currency:
        return checked
    # Whether the currency has changed is for the quote to find out; until then it must not settle prices.
    return msgspec.structs.replace(checked, currency=currency)


def _admit_history(history: History, answer: _Answer, closes: dict[str, Closes]) -> History:
    bars = answer.fetched.closes.get(history.symbol)
    if bars is None or len(bars.dates) != len(bars.closes):
        raise _invalid(history, "the history came without bars, or with more dates than closes or fewer")
    currency = answer.currency(history)
    _require_possible_unit(history, currency)
    if currency is None and may_be_hundredths(history.symbol):
        raise _invalid(history, "closes without a currency may be in hundredths of it")
    # East of London a session's date can be a day ahead of UTC's.
    tomorrow = dt.datetime.fromtimestamp(answer.now, dt.UTC).date().toordinal() + 1
    checked = check_closes(bars, currency, tomorrow)
    if not checked.dates:
        raise _invalid(history, f"none of {len(bars.dates)} bars has a positive close")
    major = None if currency is None else minor_unit(currency)[0]
    doubt = _doubt_of_closes(checked, major, answer)
    if doubt:
        text = f"{history.symbol}: closes held back: {doubt}; accepted when a later session confirms it"
        raise ProviderError(history.source or "", "suspect", text)
    closes[history.symbol] = checked
    return msgspec.structs.replace(
        history,
        first_date=checked.dates[0],
        last_date=checked.dates[-1],
        bars=len(checked.dates),
        currency=major,
    )


def _admit_payouts(payouts: Payouts, answer: _Answer, checked: Fetched) -> Payouts:
    beside = checked.failed.get((payouts.symbol, "history"))
    if isinstance(beside, ProviderError) and (payouts.symbol, "history") in answer.fetched.found:
        # Amounts are of the unit and the shares of the closes beside them.
        raise ProviderError(payouts.source or "", beside.failure, beside.reason)
    currency = answer.currency(payouts)
    has_no_unit = currency is None and any(event.currency is None for event in payouts.events)
    if has_no_unit and may_be_hundredths(payouts.symbol):
        raise _invalid(payouts, "dividends without a currency may be in hundredths of it")
    return check_payouts(payouts, currency)


def _doubt_of_closes(closes: Closes, currency: str | None, answer: _Answer) -> str | None:
    stored, before = (answer.stored.get((closes.symbol, facet)) for facet in ("quote", "history"))
    if before is not None and is_confirmed(before, answer.now):
        return None
    quote = stored if isinstance(stored, Quote) else None
    known = answer.bars.get(closes.symbol)
    doubt = doubt_of_unit(closes.closes[-1], currency, quote, answer.now)
    return doubt_of_scale(closes, known) if doubt is None and known is not None else doubt


def _dated(record: Record, now: float) -> Record:
    as_of = finite(record.as_of)
    if as_of is not None and as_of > now + _FUTURE_TOLERANCE:
        if not isinstance(record, History):
            raise _invalid(record, f"dated {as_of - now:.0f} s in the future")
        as_of = now  # the bar of a session that is not over yet
    return record if as_of == record.as_of else msgspec.structs.replace(record, as_of=as_of)


def _require_possible_unit(record: Quote | Profile | History, currency: str | None) -> None:
    problem = None if record.source == _AS_TOLD else unit_problem(record.symbol, currency)
    if problem:
        raise _invalid(record, problem)


def _not_negative(value: object) -> float | None:
    number = finite(value)
    return number if number is not None and number >= 0.0 else None


def _fraction(value: object) -> float | None:
    number = finite(value)
    return number if number is not None and abs(number) < 1.0 else None


def _beta(value: object) -> float | None:
    number = finite(value)
    return number if number is not None and abs(number) <= _MAX_BETA else None


def _require(record: Record, value: object, complaint: str) -> None:
    if value is None:
        raise _invalid(record, complaint)


def _invalid(record: Record, complaint: str) -> ProviderError:
    return ProviderError(record.source or "", "invalid", f"{record.symbol}: {complaint}")
