"""Market exposure: the one formula, for one position or for arrays of them, and its sums.

Unknown is NaN in arrays and None in sums. No sum takes an unknown leg for 0: it adds up what is known and
lists the rows that are missing; where legs exist but none is known it is None. numpy is imported only by
the sums, so that the formula costs a caller nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from quotewell.analytics.arrays import Bools, Floats, Integers
    from quotewell.analytics.grouping import Grouping, Sums

    Number = TypeVar("Number", float, Floats)


def exposure(quantity: Number, shares: Number, spot: Number, delta: Number, fx: Number) -> Number:
    """E = q·n·S·δ·fx in base currency, elementwise; for a stock shares and delta are 1.

    Args:
        quantity: Signed number of shares or contracts.
        shares: Shares that one contract delivers (not the premium multiplier).
        spot: Price of the underlying, per share, in local currency.
        delta: Per share.
        fx: Units of base currency for one of the local one.
    """
    return quantity * shares * spot * delta * fx


def beta_adjusted(exposures: Number, beta: Number) -> Number:
    """B = E·β in base currency, elementwise."""
    return exposures * beta


def market_value(quantity: Number, multiplier: Number, price: Number, fx: Number) -> Number:
    """q·m·P·fx in base currency, elementwise; for a stock the premium multiplier is 1."""
    return quantity * multiplier * price * fx


def fraction_of_value(amount: float | None, total_value: float | None) -> float | None:
    """The share of total value, as a fraction; None if either is unknown or the value is not positive."""
    if amount is None or total_value is None or total_value <= 0.0:
        return None
    return amount / total_value


class Buckets(NamedTuple):
    """Sums of one column of figures, in base currency.

    Attributes:
        long: Sum of the positive figures; None if there are figures but none is known.
        short: Sum of the negative ones, itself negative or 0; None likewise.
        missing: Rows whose figure is unknown.
    """

    long: float | None
    short: float | None
    missing: tuple[int, ...]

    @property
    def net(self) -> float | None:
        """Long plus short."""
        return None if self.long is None or self.short is None else self.long + self.short

    @property
    def gross(self) -> float | None:
        """Long minus short."""
        return None if self.long is None or self.short is None else self.long - self.short

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


class Exposures(NamedTuple):
    """Buckets of a book by column; each column has its own known and missing rows.

    A leg is long in `beta_adjusted` if its beta-adjusted exposure is positive, whatever its exposure is.
    """

    stocks: Buckets
    options: Buckets
    total: Buckets
    beta_adjusted: Buckets


class ByUnderlying(NamedTuple):
    """A book netted by underlying and then put into buckets.

    Attributes:
        exposures: The buckets; `missing` lists rows of legs, not underlyings.
        underlyings: The distinct underlyings, sorted; `total` and `beta_adjusted` follow their order.
        total: Exposure of each underlying.
        beta_adjusted: Beta-adjusted exposure of each underlying.
        grouping: The legs by underlying, for sums of other columns.
    """

    exposures: Exposures
    underlyings: npt.NDArray[np.generic]
    total: Sums
    beta_adjusted: Sums
    grouping: Grouping


def by_leg(
    exposures: npt.ArrayLike,
    is_option: npt.ArrayLike,
    beta_adjusted: npt.ArrayLike,
    *,
    is_stock: npt.ArrayLike | None = None,
) -> Exposures:
    """Long and short sums over the legs of a book; a long call and a short put are long.

    Args:
        exposures: Exposure of each leg, base currency; NaN for unknown. Cash legs are left out or 0.
        is_option: True for options.
        beta_adjusted: Beta-adjusted exposure of each leg; NaN for unknown.
        is_stock: True for stocks and funds; every leg that is no option if None. A leg that is neither
            (a bond, an unknown) counts, or is missing, in the total only.
    """
    columns = _columns(*_legs(exposures, is_option, beta_adjusted, is_stock))
    return Exposures(*(_buckets(figures, figures, rows) for figures, rows in columns))


def by_underlying(
    underlyings: npt.ArrayLike,
    exposures: npt.ArrayLike,
    is_option: npt.ArrayLike,
    beta_adjusted: npt.ArrayLike,
    *,
    is_stock: npt.ArrayLike | None = None,
) -> ByUnderlying:
    """Net the legs of each underlying first, then sum the nets into long and short: the headline figures.

    Each column is netted on its own, so that long stocks plus long options may exceed the long total.

    Args:
        underlyings: What each leg stands on, across accounts: symbols or codes.
        exposures: As in `by_leg`.
        is_option: As in `by_leg`.
        beta_adjusted: As in `by_leg`.
        is_stock: As in `by_leg`.
    """
    import numpy as np  # noqa: PLC0415 - the formula alone must not cost numpy's import

    from quotewell.analytics.grouping import Grouping  # noqa: PLC0415 - likewise

    names, group = _distinct(np.asarray(underlyings))
    grouping = Grouping.of(group, len(names))
    figures, options, stocks, adjusted = _legs(exposures, is_option, beta_adjusted, is_stock)
    # A leg of the other kind adds nothing to a column.
    apart = [np.where(own, figures, 0.0) for own in (stocks, options)]
    netted = [grouping.sums(column) for column in (*apart, figures, adjusted)]
    columns = _columns(figures, options, stocks, adjusted)
    sums = [_buckets(net.net, *column) for net, column in zip(netted, columns, strict=True)]
    return ByUnderlying(Exposures(*sums), names, netted[2], netted[3], grouping)


class Coverage(NamedTuple):
    """How much of a book its figures rest on, as fractions; None where there is nothing to cover.

    Attributes:
        price: Share of the absolute broker value, without cash and pending, that has a price.
        delta: Share of the options' absolute notional q·m·S that has a delta.
        beta: Share of the absolute exposure of the legs that are not cash that has a beta.
        delta_assumed: Share of the options' absolute notional whose delta rests on an unknown rate or yield.
    """

    price: float | None
    delta: float | None
    beta: float | None
    delta_assumed: float | None


def coverage(
    *,
    broker_values: npt.ArrayLike,
    prices: npt.ArrayLike,
    is_cash: npt.ArrayLike,
    is_option: npt.ArrayLike,
    notionals: npt.ArrayLike,
    deltas: npt.ArrayLike,
    assumed: npt.ArrayLike,
    exposures: npt.ArrayLike,
    betas: npt.ArrayLike,
) -> Coverage:
    """Shares of a book that prices, deltas and betas are known for; one element a row, NaN for unknown.

    A row whose own weight is unknown (no broker value, notional or exposure) cannot be weighed and counts on
    neither side; the sums list it as missing.

    Args:
        broker_values: Value of the row as the broker states it, base currency.
        prices: Valuation price of the row.
        is_cash: True for cash and pending.
        is_option: True for options.
        notionals: q·m·S·fx of options, base currency; not read for other rows.
        deltas: Delta of options; not read for other rows.
        assumed: True where the delta rests on an unknown rate or dividend yield that was taken as 0.
        exposures: Exposure of the row, base currency.
        betas: Beta of the row's underlying.
    """
    import numpy as np  # noqa: PLC0415 - the formula alone must not cost numpy's import

    options, cash = np.asarray(is_option, dtype=bool), np.asarray(is_cash, dtype=bool)
    has_price, has_delta, has_beta = (~np.isnan(np.asarray(one, float)) for one in (prices, deltas, betas))

    def share(weights: npt.ArrayLike, among: Bools, known: Bools) -> float | None:
        weight = np.where(among, np.abs(np.nan_to_num(np.asarray(weights, float))), 0.0)
        whole = float(weight.sum())
        share = float(weight[known].sum()) / whole if whole > 0.0 else None
        # Summed in another order, a whole may exceed itself in the last digit.
        return None if share is None else min(share, 1.0)

    return Coverage(
        price=share(broker_values, ~cash, has_price),
        delta=share(notionals, options, has_delta),
        beta=share(exposures, ~cash, has_beta),
        delta_assumed=share(notionals, options, has_delta & np.asarray(assumed, dtype=bool)),
    )


def _legs(
    exposures: npt.ArrayLike,
    is_option: npt.ArrayLike,
    beta_adjusted: npt.ArrayLike,
    is_stock: npt.ArrayLike | None,
) -> tuple[Floats, Bools, Bools, Floats]:
    """Exposures, which legs are options and which stocks, and beta-adjusted exposures."""
    import numpy as np  # noqa: PLC0415 - the formula alone must not cost numpy's import

    options = np.asarray(is_option, dtype=bool)
    stocks = ~options if is_stock is None else np.asarray(is_stock, dtype=bool)
    figures, adjusted = (np.asarray(one, dtype=np.float64) for one in (exposures, beta_adjusted))
    return figures, options, stocks, adjusted


def _columns(
    figures: Floats, options: Bools, stocks: Bools, adjusted: Floats
) -> list[tuple[Floats, Integers]]:
    """The figures of stocks, options, total and beta-adjusted, and the rows they stand on."""
    import numpy as np  # noqa: PLC0415 - the formula alone must not cost numpy's import

    everything = np.arange(figures.size)
    apart = [(figures[rows], rows) for rows in (np.flatnonzero(stocks), np.flatnonzero(options))]
    return [*apart, (figures, everything), (adjusted, everything)]


def _distinct(underlyings: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.generic], Integers]:
    """The distinct underlyings, sorted, and which of them each leg has; small codes need no sort."""
    import numpy as np  # noqa: PLC0415 - the formula alone must not cost numpy's import

    from quotewell.analytics.arrays import distinct  # noqa: PLC0415 - imports it, too

    codes = underlyings
    small = (
        np.issubdtype(codes.dtype, np.integer) and codes.size and 0 <= codes.min() <= codes.max() < codes.size
    )
    if not small:
        first, group = distinct(underlyings)
        return underlyings[first], group
    present = np.bincount(codes) > 0
    return np.flatnonzero(present), (np.cumsum(present) - 1)[codes]


def _buckets(summands: Floats, figures: Floats, rows: Integers) -> Buckets:
    """Buckets of `summands` (figures or nets of them), with what is missing of the figures in `rows`."""
    import numpy as np  # noqa: PLC0415 - the formula alone must not cost numpy's import

    unknown = np.isnan(figures)
    missing = tuple(int(row) for row in rows[unknown])
    if figures.size and unknown.all():
        return Buckets(long=None, short=None, missing=missing)
    known = summands[~np.isnan(summands)]
    long, short = (float(known[side].sum()) for side in (known > 0.0, known < 0.0))
    return Buckets(long=long, short=short, missing=missing)
