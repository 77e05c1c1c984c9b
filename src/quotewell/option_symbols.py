"""Option symbols: every spelling that brokers use for a contract, read into one `Option`.

Callers import these names from `quotewell.symbols`.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import Literal

import msgspec

from quotewell.errors import SymbolError
from quotewell.option_roots import Settlement, Style, root_terms

__all__ = ["BLANKS", "Option", "Right", "occ", "parse_option"]

Right = Literal["C", "P"]

BLANKS = " \t\r\n\u00a0"
"""What may surround a symbol in a file: spaces, tabs, line ends, no-break spaces."""

_MIN_TEXT = len("F260116C1")
_MAX_TEXT = 128
_STRIKE_LIMIT = 10**8  # in thousandths: the OCC symbol has eight digits

_ROOT = r"(?P<root>[0-9]?[A-Z]{1,6}[0-9]?(?:[./ -][A-Z])?)"
_STRIKE = r"(?P<strike>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_RIGHT = r"(?P<right>CALL|PUT|C|P)"
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DATE = (
    r"(?P<date>[0-9]{{1,2}}[/-][0-9]{{1,2}}[/-](?:[0-9]{{4}}|[0-9]{{2}})"
    r"|[0-9]{{4}}[/-][0-9]{{1,2}}[/-][0-9]{{1,2}}"
    r"|[0-9]{{1,2}}[ -]?(?:{months})[ -]?'?(?:[0-9]{{4}}|[0-9]{{2}})"
    r"|(?:{months})(?: +|-)[0-9]{{1,2}}(?:,? +|,|-)'?(?:[0-9]{{4}}|[0-9]{{2}}))"
).format(months="|".join(_MONTHS))
# Text, so that a program without options never compiles them.
_SPELLINGS = (
    # OCC padded or not, Fidelity ` -AMZN250516C190`, thinkorswim `.AMZN250516C190`,
    # E*TRADE `AAPL--240119C00150000`
    rf"[-.]?{_ROOT}[ -]*(?P<yymmdd>[0-9]{{6}})(?P<right>[CP])(?:(?P<mills>[0-9]{{8}})|{_STRIKE})",
    # Schwab `SMAL 04/01/2020 32.00 P`, IB `SPY 31MAR25 570 C`, E*TRADE `AAPL Jan 19 '24 $150 Call`,
    # Fidelity's description `AMZN MAY 16 2025 $190 CALL`
    rf"{_ROOT} +{_DATE} +\$?{_STRIKE} +{_RIGHT}",
    # Robinhood `AAPL 4/17/2025 Call $220.00`
    rf"{_ROOT} +{_DATE} +{_RIGHT} +\$?{_STRIKE}",
    # Merrill `XYZ#B1326C425000`: month and right as OPRA's letter, day, year, decimals (C three, D four)
    rf"{_ROOT}#?(?P<opra>[A-X])(?P<ddyy>[0-9]{{4}})(?P<decimals>[CD])(?P<digits>[0-9]{{6}})",
    # Merrill `CALL XYZ   425.00 EXP 02-13-26`. Schwab's has a `$`, and a name for root.
    rf"(?P<right>CALL|PUT) +{_ROOT} +{_STRIKE} +EXP +{_DATE}",
    # E*TRADE's description `CALL TSLA   12/13/24   420.000`
    rf"(?P<right>CALL|PUT) +{_ROOT} +{_DATE} +{_STRIKE}",
    # Fidelity `PUT (CRM) SALESFORCE INC JUN 20 25 $290 (100 SHS)`
    rf"(?P<right>CALL|PUT) +\({_ROOT}\) .* {_DATE} +\${_STRIKE}(?: +\([0-9]+ SHS\))?",
)
_OCC_ROOT = r"(?=.{1,6}\Z)[0-9]?[A-Z]{1,6}[0-9]?"


class Option(msgspec.Struct, frozen=True, gc=False):
    """One listed option contract, as its symbol describes it.

    Args:
        symbol: OCC symbol without padding, such as `SPXW250620C05800000`.
        root: OCC root, such as `SPXW`.
        underlying: Canonical symbol of the underlying; None for VIX roots, whose underlying is the future of
            the same expiry, for which there is no symbol.
        expiry: The day it expires.
        right: `C` or `P`.
        strike: In units of the quote currency per share or index point.
    """

    symbol: str
    root: str
    underlying: str | None
    expiry: dt.date
    right: Right
    strike: float

    @property
    def is_call(self) -> bool:
        """Whether it is a call."""
        return self.right == "C"

    @property
    def adjusted(self) -> bool:
        """Whether the contract is adjusted or a mini, so that what it delivers is unknown."""
        return self.root[-1].isdigit()

    @property
    def multiplier(self) -> int | None:
        """Shares delivered, and premium units, per contract: 100, or None where `adjusted`."""
        return None if self.adjusted else 100

    @property
    def style(self) -> Style | None:
        """`american` or `european`; None where the root does not tell (other indices, FLEX)."""
        return root_terms(self.root).style

    @property
    def settlement(self) -> Settlement:
        """`AM` (on the opening of the expiry day) or `PM` (on its close)."""
        return root_terms(self.root).settlement

    @property
    def underlying_scale(self) -> float:
        """Strike units per unit of the underlying's price: 0.01 for DJX, 0.1 for XSP, else 1."""
        return root_terms(self.root).underlying_scale

    def expiry_instant(self) -> float:
        """When it expires, in epoch seconds.

        On `expiry` at 16:00 New York time if it settles PM, at 09:30 if AM.
        """
        return _settled(self.expiry, self.settlement)


@functools.lru_cache(maxsize=4096)
def _settled(day: dt.date, settlement: Settlement) -> float:
    """When options settle on a day, in epoch seconds; remembered, for many contracts share one."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415  only option pricing pays for it

    hour, minute = (9, 30) if settlement == "AM" else (16, 0)
    moment = dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo("America/New_York"))
    return moment.timestamp()


def occ(root: str, expiry: dt.date, right: Right, strike: float) -> str:
    """OCC symbol, without padding, of a contract given by its parts.

    Args:
        root: OCC root or a share class with its separator (`BRK.B` → `BRKB`).
        expiry: Expiry day, from 2000 to 2099.
        right: `C` or `P`.
        strike: In quote currency; a positive multiple of 0.001 below 100,000.

    Returns:
        The symbol, such as `AAPL250417C00220000`.

    Raises:
        SymbolError: If the parts make no OCC symbol.
    """
    mills = round(strike * 1000) if 0 < strike < _STRIKE_LIMIT else 0
    named = _option(root.strip(BLANKS).upper(), expiry, right, mills)
    if named is None or right not in ("C", "P") or abs(strike * 1000 - mills) > 1e-4:
        parts = f"root {root[:40]!r}, expiry {expiry}, right {right!r}, strike {strike}"
        raise SymbolError(f"no option symbol can be made of {parts}")
    return named.symbol


def parse_option(text: str) -> Option | None:
    """Read an option in any spelling that brokers use for one.

    A description that names the company in place of the root (Schwab's `PUT SMALL CAP INDEX $32 EXP …`) is
    not read: parse the row's symbol instead.

    Args:
        text: A symbol such as `AAPL250417C00220000`, ` -AAPL250417C220`, `SMAL 04/01/2020 32.00 P`,
            `SPY 31MAR25 570 C`, or a description such as `AMZN MAY 16 2025 $190 CALL`.

    Returns:
        The contract; None if the text is not an option, its date does not exist, or its strike is not a
        positive multiple of 0.001 below 100,000.
    """
    stripped = text.strip(BLANKS)
    if not _MIN_TEXT <= len(stripped) <= _MAX_TEXT or not stripped.isascii():
        return None
    if option := _occ_option(stripped):
        return option
    spelled = stripped.upper()
    for spelling in _SPELLINGS:
        if match := re.fullmatch(spelling, spelled):
            return _from_fields(match.groupdict())
    return None


def _occ_option(text: str) -> Option | None:
    """Read the OCC symbol of a root of letters alone; None for anything else, which patterns may still read.

    A book of many contracts is read several times, and this takes a third of the time of a pattern.
    """
    root, day, mills = text[:-15], text[-15:-9], text[-8:]
    if not (0 < len(root) <= 6 and root.isalpha() and root.isupper() and day.isdigit() and mills.isdigit()):
        return None
    right: Right = "C" if text[-9] == "C" else "P"
    expiry = _yymmdd(day)
    if text[-9] != right or expiry is None or mills == "00000000":
        return None
    return Option(text, root, root_terms(root).underlying, expiry, right, int(mills) / 1000)


def _from_fields(fields: dict[str, str]) -> Option | None:
    if "opra" in fields:
        letter = ord(fields["opra"]) - ord("A")
        right: Right = "C" if letter < 12 else "P"
        day, year = int(fields["ddyy"][:2]), int(fields["ddyy"][2:])
        expiry = _calendar_day(2000 + year, 1 + letter % 12, day)
        places = 3 if fields["decimals"] == "C" else 4
        mills = _mills(f"{fields['digits'][:-places]}.{fields['digits'][-places:]}")
    else:
        right = "C" if fields["right"].startswith("C") else "P"
        expiry = _yymmdd(fields["yymmdd"]) if "yymmdd" in fields else _date(fields["date"])
        mills = int(fields["mills"]) if fields.get("mills") else _mills(fields["strike"])
    if expiry is None or mills is None:
        return None
    return _option(fields["root"], expiry, right, mills)


def _option(root: str, expiry: dt.date, right: Right, mills: int) -> Option | None:
    joined = re.sub("[./ -]", "", root)
    if not re.fullmatch(_OCC_ROOT, joined) or not 0 < mills < _STRIKE_LIMIT or not 2000 <= expiry.year < 2100:
        return None
    return Option(
        symbol=f"{joined}{expiry:%y%m%d}{right}{mills:08d}",
        root=joined,
        underlying=root_terms(joined).underlying,
        expiry=expiry,
        right=right,
        strike=mills / 1000,
    )


def _yymmdd(text: str) -> dt.date | None:
    return _calendar_day(2000 + int(text[:2]), int(text[2:4]), int(text[4:]))


def _date(text: str) -> dt.date | None:
    numbers = [int(digits) for digits in re.findall("[0-9]+", text)]
    if len(numbers) == 2:
        day, year = numbers
        month = next(number for number, name in enumerate(_MONTHS, start=1) if name in text)
    elif numbers[0] > 99:
        year, month, day = numbers
    else:
        month, day, year = numbers
    return _calendar_day(year if year > 99 else 2000 + year, month, day)


def _calendar_day(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def _mills(strike: str) -> int | None:
    """A decimal strike in thousandths, exactly; None if it has more than three decimals."""
    whole, _, decimals = strike.replace(",", "").partition(".")
    decimals = decimals.rstrip("0")
    return None if len(decimals) > 3 else int(whole or "0") * 1000 + int(decimals.ljust(3, "0"))
