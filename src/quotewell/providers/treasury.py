"""US Treasury yields as Yahoo's indices quote them (`^IRX` …), turned into continuously compounded rates."""

from __future__ import annotations

import math

__all__ = ["TREASURY_YEARS", "treasury_rate"]

_BILL_DAYS = 91
_BILL = "^IRX"

TREASURY_YEARS = {_BILL: _BILL_DAYS / 365, "^FVX": 5.0, "^TNX": 10.0, "^TYX": 30.0}
"""The term of each index, in years."""


def treasury_rate(symbol: str, percent: float) -> float | None:
    """The continuously compounded rate (fraction a year) that a Treasury index at `percent` stands for.

    `^IRX` is the bank discount d of the 13-week bill, a fraction of face value per 360 days:
    r = -ln(1 - d * 91/360) * 365/91. The others are par yields y, compounded twice a year:
    r = 2 * ln(1 + y/2).

    Returns:
        The rate; None for another symbol, or a percentage from which no rate follows (NaN, a discount of all
        of the face value).
    """
    quoted = percent / 100.0
    if symbol == _BILL:
        price = 1.0 - quoted * _BILL_DAYS / 360.0
        return -math.log(price) * 365.0 / _BILL_DAYS if 0.0 < price < math.inf else None
    growth = 1.0 + quoted / 2.0
    return 2.0 * math.log(growth) if symbol in TREASURY_YEARS and 0.0 < growth < math.inf else None
