"""What is known of a symbol: one flat record for each facet, with its own provenance and last failure.

A *facet* is the set of fields of a symbol that live equally long. Records are shared by all readers in a
process: treat them as read-only. Times are epoch seconds (UTC); prices are in the major unit of `currency`
(pounds, never pence); yields, rates and volatilities are fractions.
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import Generic, Literal, TypeVar, get_args

import msgspec

from quotewell.errors import FailureKind

__all__ = [
    "FACETS",
    "RECORD_TYPES",
    "Closes",
    "Dividend",
    "DividendEvent",
    "Facet",
    "Failure",
    "FailureKind",
    "Freshness",
    "Fx",
    "History",
    "InstrumentType",
    "Need",
    "Payout",
    "Payouts",
    "Profile",
    "Provenance",
    "Quote",
    "Rate",
    "Reading",
    "Record",
    "RecordT",
    "Result",
    "Risk",
    "Split",
    "TickerData",
]

Facet = Literal["quote", "profile", "risk", "dividend", "payouts", "history", "fx", "rate"]
FACETS: tuple[Facet, ...] = get_args(Facet)

Need = tuple[str, str]
"""A symbol and a facet that somebody wants to read: `("AAPL", "quote")`; or the key and the table of a cached
function's result."""

InstrumentType = Literal[
    "stock", "etf", "fund", "money_market", "index", "option", "currency", "crypto", "future", "bond"
]


class Freshness(enum.IntEnum):
    """How usable a value is now; a larger number is better."""

    NONE = 0  # no value, or one older than may ever be served
    STALE = 1  # served only after a fetch was tried and failed
    GRACE = 2  # served at once and refreshed in passing
    FRESH = 3  # served at once


class Failure(msgspec.Struct, frozen=True, gc=False):
    """The last failed attempt to get a value; lives beside the last good value, never in its place."""

    kind: FailureKind
    reason: str
    source: str
    count: int
    first_at: float
    last_at: float
    retry_at: float
    """No further attempt before this time."""


class Provenance(msgspec.Struct, frozen=True, gc=False):
    """Where a served value comes from and how old it is."""

    source: str
    as_of: float | None
    fetched_at: float
    freshness: Freshness
    level: str
    """`memory`, the name of the persistent level, `provider` when just fetched, or `reported`."""


class _Kept(msgspec.Struct, kw_only=True, gc=False):
    """What a record carries beside its values; behind them, so that a row of values makes a record."""

    invalidated: bool = False
    """Softly invalidated: the next read fetches, the value stays for errors."""
    failure: Failure | None = None

    # Not stored: the bookkeeping of the memory level, in the record because a wrapper costs 25 % memory.
    fresh_until: float = 0.0
    """Monotonic seconds until which the memory level answers with this record unasked."""
    grace: float = 0.0
    """Seconds after `fresh_until` in which it still answers, but is fetched anew."""
    hits: int = 0
    provenance: Provenance | None = None
    """Set on the copies that `TickerService.get_ticker_data` hands out."""


class Record(_Kept, gc=False):
    """What all facets share. `fetched_at` is None as long as there is no value, only a failure.

    Positional arguments come in the order in which levels store them: first these, then the facet's own.
    """

    symbol: str
    source: str | None = None
    as_of: float | None = None
    fetched_at: float | None = None


RecordT = TypeVar("RecordT", bound=Record)


class Quote(Record, gc=False):
    """The market's price; `as_of` is the time of the last trade."""

    last: float | None = None
    bid: float | None = None
    ask: float | None = None
    previous_close: float | None = None
    currency: str | None = None
    exchange: str | None = None
    type: InstrumentType | None = None
    delay: float | None = None
    """Seconds by which the exchange's data lags."""
    market_state: str | None = None
    unverified: bool = False
    """No evidence for or against the price exists yet."""
    suspect: float | None = None
    """A newer price that was held back as implausible; `last` is still the older one."""


class Profile(Record, gc=False):
    """What a symbol is."""

    name: str | None = None
    type: InstrumentType | None = None
    exchange: str | None = None
    time_zone: str | None = None
    sector: str | None = None
    currency: str | None = None
    stated_beta: float | None = None
    """The beta that the provider states, of unknown method; used only as `docs/lifetimes.md` says."""


class Risk(Record, gc=False):
    """Beta against `benchmark`, with the evidence for it."""

    beta: float | None = None
    method: Literal["ols_daily", "ols_weekly", "stated", "identity"] | None = None
    benchmark: str | None = None
    window_start: float | None = None
    window_end: float | None = None
    n: int | None = None
    """Returns; of a stated beta that stands in for one's own, how many there were, too few."""
    standard_error: float | None = None
    r_squared: float | None = None


class DividendEvent(msgspec.Struct, frozen=True, gc=False):
    """One dividend per share, by ex-date (proleptic ordinal day)."""

    ex_date: int
    amount: float
    currency: str | None
    declared: bool


class Payout(msgspec.Struct, frozen=True, kw_only=True):
    """One dividend before an option expires.

    Attributes:
        ex_date: The first day without it.
        years: From the valuation to the open of that day.
        amount: Per unit of what the option is priced on, in its currency.
        projected: Whether it is the last regular amount at its frequency, not one that is known.
    """

    ex_date: dt.date
    years: float
    amount: float
    projected: bool


class Dividend(Record, gc=False):
    """Dividend yield: fraction of the price a year."""

    dividend_yield: float | None = None


class Payouts(Record, gc=False):
    """The dividends that a share is known to pay or have paid, by date, in the shares of `fetched_at`."""

    events: tuple[DividendEvent, ...] = ()


class History(Record, gc=False):
    """Coverage of the stored daily bars; the bars themselves are `Closes`."""

    first_date: int | None = None
    last_date: int | None = None
    bars: int | None = None
    currency: str | None = None


class Fx(Record, gc=False):
    """Base units for one local unit: `EURUSD=X` is USD for one EUR."""

    rate: float | None = None


class Rate(Record, gc=False):
    """One point of a risk-free curve."""

    years: float | None = None
    rate: float | None = None
    """Continuously compounded, fraction a year."""


class Result(Record, gc=False):
    """What a user's own `@cached` function returned; `symbol` is the key."""

    blob: bytes | None = None
    value: object = None
    """The decoded result; not stored."""


RECORD_TYPES: dict[str, type[Record]] = {
    "quote": Quote,
    "profile": Profile,
    "risk": Risk,
    "dividend": Dividend,
    "payouts": Payouts,
    "history": History,
    "fx": Fx,
    "rate": Rate,
}


class Split(msgspec.Struct, frozen=True, gc=False):
    """A split that took effect on `date` (ordinal day): `ratio` new shares for one old."""

    date: int
    ratio: float


class Closes(msgspec.Struct, kw_only=True, gc=False):
    """Daily closes of one symbol, adjusted for splits only, oldest first; dates are ordinal days."""

    symbol: str
    source: str
    dates: list[int]
    closes: list[float]
    splits: tuple[Split, ...] = ()
    dividends: tuple[DividendEvent, ...] = ()


class Reading(msgspec.Struct, Generic[RecordT], frozen=True, gc=False):
    """The answer for one symbol and facet: a value, a reason why there is none, or both."""

    symbol: str
    record: RecordT | None
    """Holds a value, else None."""
    freshness: Freshness
    level: str
    """`memory`, the persistent level's name, `provider`, `reported`, or `` when nothing is known."""
    failure: Failure | None = None
    error: Exception | None = None
    """The exception behind a failure of this very attempt; never stored."""

    @property
    def provenance(self) -> Provenance | None:
        """Source, times, freshness and level of the value; None without one."""
        record = self.record
        if record is None or record.source is None or record.fetched_at is None:
            return None
        return Provenance(record.source, record.as_of, record.fetched_at, self.freshness, self.level)

    @property
    def usable(self) -> bool:
        """Whether there is a value that may be served."""
        return self.record is not None and self.freshness > Freshness.NONE


class TickerData(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All that is known of one symbol; each record carries its provenance, each gap its reason."""

    symbol: str
    quote: Quote | None = None
    profile: Profile | None = None
    risk: Risk | None = None
    dividend: Dividend | None = None
    payouts: Payouts | None = None
    history: History | None = None
    fx: Fx | None = None
    rate: Rate | None = None
    failures: dict[Facet, Failure] = {}
