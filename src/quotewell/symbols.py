"""Ticker symbols: the only place that parses, normalises and classifies them.

The canonical form is Yahoo's text (`BRK-B`, `VOD.L`, `^GSPC`, `EURUSD=X`, `BTC-USD`, `ES=F`); an option is
its OCC symbol without padding (`AAPL250417C00220000`: root, YYMMDD, C or P, strike in thousandths in eight
digits). Brokers' spellings of both are accepted.
"""

from __future__ import annotations

import re
from typing import Literal

from quotewell.errors import SymbolError
from quotewell.option_roots import SHARE_CLASS_ROOTS
from quotewell.option_symbols import BLANKS, Option, Right, occ, parse_option

__all__ = [
    "Option",
    "Right",
    "SymbolKind",
    "currency_code",
    "currency_pair",
    "exchange_suffix",
    "kind",
    "looks_like_cusip",
    "looks_like_money_market",
    "minor_unit",
    "normalise",
    "occ",
    "parse_option",
]

SymbolKind = Literal["option", "index", "fx", "crypto", "future", "rate", "security"]

_MAX_SYMBOL = 32
_SHOWN = 40

_FUTURES_EXCHANGES = frozenset(("CBT", "CME", "CMX", "NYB", "NYM"))
_EXCHANGES = _FUTURES_EXCHANGES | frozenset(
    "AE AS AT AX BA BD BE BK BM BO BR CA CL CN CO CR DE DU "  # noqa: SIM905  codes read better as words
    "F HA HE HK HM IC IL IR IS JK JO KL KQ KS KW L LM LS MC ME MI MU MX NE NS NX NZ OL PA PR PS QA RG RO SA "
    "SAU SG SI SN SR SS ST SW SZ T TA TI TL TO TW TWO V VI VN VS WA XA XC XD".split()
)
_CURRENCIES = frozenset(
    "AED ARS AUD BRL CAD CHF CLP CNH CNY COP CZK DKK EGP "  # noqa: SIM905  codes read better as words
    "EUR GBP HKD HUF IDR ILS INR ISK JPY KRW KWD MXN MYR NOK NZD PEN PHP PLN QAR RON RUB SAR SEK SGD THB TRY "
    "TWD USD VND ZAR".split()
)
# GBX and USX are the exchanges' own codes for pence and US cents; Yahoo and brokers use them too.
_MINOR_UNITS = {
    "GBp": ("GBP", 0.01),
    "GBX": ("GBP", 0.01),
    "ILA": ("ILS", 0.01),
    "USX": ("USD", 0.01),
    "ZAc": ("ZAR", 0.01),
}
_INDEX_ALIASES = {"^SPX": "^GSPC"}
_RATES = frozenset(("^IRX", "^FVX", "^TNX", "^TYX"))

# Patterns stay text, so that a program that only asks for plain tickers never compiles them.
_PLAIN = r"[A-Z0-9][A-Z0-9&]*(?:[.-][A-Z0-9&]+)*(?:\*\*)?"
_INDEX = r"\^[A-Z0-9]+(?:[.-][A-Z0-9]+)*"
_FX_OR_FUTURE = r"[A-Z0-9]{1,12}=[XF]"
_PAIR = r"([A-Z0-9]{2,10})([./])([A-Z]{3})"
_SHARE_CLASS = (
    r"(?P<stem>[A-Z0-9]{1,6})(?P<separator>[./]| +)"
    r"(?:(?P<series_of>PR|WS)[./ ]?(?P<series>[A-Z]?)|(?P<name>UN|RT|WI|WD|[A-Z]))"
    r"(?:\.(?P<exchange>[A-Z]{1,3}))?"
)
# Yahoo's words for the exchanges' suffixes of preferred shares, warrants, rights and units.
_YAHOO_CLASSES = {"PR": "P", "WS": "WT", "RT": "RI", "U": "UN"}
_OCC = r"[0-9]?[A-Z]{1,6}[0-9]{6,7}[CP][0-9]{8}"
_OPTION_LIKE = r"[0-9]?[A-Z]{1,6}[0-9]{6,7}[CP][0-9.]+"
_MONEY_MARKET_FUND = r"[A-Z]{3}XX"
_ILLEGAL = r"[^A-Za-z0-9.^=/&* -]"
# A CUSIP starts with three digits, a CINS (abroad) with a letter and three digits; both end in a digit.
_CUSIP = r"(?:[0-9]{3}[0-9A-Z*@#]|[A-Z][0-9]{3})[0-9A-Z*@#]{4}[0-9]"


def normalise(text: str) -> str:
    """Bring a symbol as people and brokers write it to its canonical form.

    Idempotent. `SPAXX**` becomes `SPAXX`; any other symbol keeps its `**`, because without them Fidelity's
    `CORE**` would be taken for the stock `CORE`.

    Args:
        text: A symbol such as `brk.b`, `VOD.L`, `^SPX`, `EUR/USD`, ` -AAPL250417C220`; blanks around it are
            dropped.

    Returns:
        The canonical symbol, such as `BRK-B`, `VOD.L`, `^GSPC`, `EURUSD=X`, `AAPL250417C00220000`.

    Raises:
        SymbolError: If the text is empty, longer than 32 characters, or not of the form of any symbol.
    """
    if len(text) <= 5 and text.isascii() and text.isalpha() and text.isupper():
        return SHARE_CLASS_ROOTS.get(text, text)
    stripped = text.strip(BLANKS)
    symbol = stripped.upper() if stripped.isascii() else stripped
    canonical = None
    if len(symbol) <= _MAX_SYMBOL:
        option = parse_option(symbol)
        canonical = option.symbol if option else _canonical(symbol)
    if canonical is None:
        shown = f"{stripped[:_SHOWN]!r}{'…' if len(stripped) > _SHOWN else ''}"
        raise SymbolError(
            f"symbol {shown}: {_what_is_wrong(symbol)}",
            hint="write it as Yahoo does: BRK-B, VOD.L, ^GSPC, EURUSD=X, AAPL250417C00220000",
        )
    return canonical


def _canonical(symbol: str) -> str | None:
    """Canonical form of an upper-case symbol that is no option; None if it is not a symbol."""
    if symbol.isascii() and symbol.isalpha():
        return SHARE_CLASS_ROOTS.get(symbol, symbol)
    if symbol.startswith("^"):
        return _INDEX_ALIASES.get(symbol, symbol) if re.fullmatch(_INDEX, symbol) else None
    if re.fullmatch(_FX_OR_FUTURE, symbol):
        is_short = symbol.endswith("=X") and symbol[:-2] in _CURRENCIES and symbol != "USD=X"
        return f"USD{symbol}" if is_short else symbol  # `JPY=X` is Yahoo's short form of yen per US dollar
    return _pair(symbol) or _share_class(symbol) or _plain(symbol)


def _pair(symbol: str) -> str | None:
    match = re.fullmatch(_PAIR, symbol)
    if match is None:
        return None
    base, separator, quote = match.groups()
    if quote not in _CURRENCIES or base == quote:
        return None
    if base in _CURRENCIES:
        return f"{base}{quote}=X"
    return f"{base}-{quote}" if separator == "/" else None


def _share_class(symbol: str) -> str | None:
    match = re.fullmatch(_SHARE_CLASS, symbol)
    if match is None:
        return None
    stem, separator, series_of, series, name, exchange = match.groups()
    if exchange is None and separator == "." and (name or series_of + series) in _EXCHANGES:
        return None
    if exchange is not None and exchange not in _EXCHANGES:
        return None
    if exchange is not None and name == "U":
        return f"{stem}-U.{exchange}"  # Toronto's `.U` is a class quoted in US dollars, not a unit
    share_class = _YAHOO_CLASSES.get(name or series_of, name) + (series or "")
    return f"{stem}-{share_class}" + (f".{exchange}" if exchange else "")


def _plain(symbol: str) -> str | None:
    if not re.fullmatch(_PLAIN, symbol) or _is_broken_option(symbol):
        return None
    if symbol.endswith("**") and re.fullmatch(_MONEY_MARKET_FUND, symbol[:-2]):
        return symbol[:-2]
    return symbol


def _is_broken_option(symbol: str) -> bool:
    return re.fullmatch(_OPTION_LIKE, symbol.lstrip("-.")) is not None and not looks_like_cusip(symbol)


def _what_is_wrong(symbol: str) -> str:  # noqa: PLR0911  each return is one thing that can be wrong
    if not symbol:
        return "it is empty"
    if len(symbol) > _MAX_SYMBOL:
        return f"has {len(symbol)} characters, but no symbol has more than {_MAX_SYMBOL}"
    for character in symbol:
        if not character.isprintable():
            return f"contains the control or unprintable character U+{ord(character):04X}"
    if illegal := re.search(_ILLEGAL, symbol):
        return f"contains {illegal[0]!r}, which no symbol has"
    if _is_broken_option(symbol):
        return "is written like an option, but its date does not exist or its strike is no option's"
    if " " in symbol:
        return "contains a space, but is neither a share class (BRK B) nor an option"
    return "has not the form of any symbol"


def kind(symbol: str) -> SymbolKind:
    """Classify a canonical symbol by its form.

    Args:
        symbol: Canonical symbol, as `normalise` returns it.

    Returns:
        `rate` for Yahoo's Treasury yields, `security` for all that no other form claims: stocks, funds.
    """
    if symbol.isalpha():
        return "security"
    if symbol.startswith("^"):
        return "rate" if symbol in _RATES else "index"
    if symbol.endswith("=X"):
        return "fx"
    if symbol.endswith("=F") or exchange_suffix(symbol) in _FUTURES_EXCHANGES:
        return "future"
    if symbol[-4:-3] == "-" and symbol[-3:] in _CURRENCIES:
        return "crypto"
    return "option" if re.fullmatch(_OCC, symbol) else "security"


def exchange_suffix(symbol: str) -> str | None:
    """Yahoo's exchange suffix without its dot, such as `L` for `VOD.L`; None if the symbol has none known."""
    stem, _, suffix = symbol.rpartition(".")
    return suffix if stem and suffix in _EXCHANGES else None


def looks_like_cusip(text: str) -> bool:
    """Whether a symbol column holds a CUSIP (`037833100`), CINS (`G0176J109`) or escrow number (`021ESC017`).

    The check digit need not hold: brokers number escrow shares as they like.
    """
    candidate = text.strip(BLANKS).upper()
    if len(candidate) != 9 or re.fullmatch(_CUSIP, candidate) is None:
        return False
    return parse_option(candidate) is None


def looks_like_money_market(text: str) -> bool:
    """Whether a symbol names a money-market or core cash position: it ends in `**`, or is `SPAXX`-like."""
    candidate = text.strip(BLANKS).upper()
    if candidate.endswith("**"):
        return True
    return candidate.endswith("XX") and re.fullmatch(_MONEY_MARKET_FUND, candidate) is not None


def currency_pair(local: str, base: str) -> str:
    """Symbol of the exchange rate from one currency to another, in units of `base` per unit of `local`.

    Args:
        local: Currency to convert from; a major unit (see `minor_unit`).
        base: Currency to convert to.

    Returns:
        The symbol, such as `EURUSD=X`: US dollars per euro.

    Raises:
        SymbolError: If one is not a code of three capital letters, or is a minor unit such as `GBp`.
    """
    for code in (local, base):
        if (
            len(code) != 3
            or not (code.isascii() and code.isalpha() and code.isupper())
            or code in _MINOR_UNITS
        ):
            raise SymbolError(
                f"currency {code[:_SHOWN]!r} is not the ISO code of a major unit (codes are case-sensitive)"
            )
    return f"{local}{base}=X"


def minor_unit(currency: str) -> tuple[str, float]:
    """Major unit of a quote currency, and how many of it one unit is: `GBp` → `("GBP", 0.01)`.

    Codes are case-sensitive. A currency that is no minor unit is its own major unit: `USD` → `("USD", 1.0)`.
    """
    return _MINOR_UNITS.get(currency, (currency, 1.0))


def currency_code(text: str) -> str:
    """The code of a major unit, in capital letters: `eur` → `EUR`.

    Raises:
        SymbolError: It is none.
    """
    code = text.strip().upper()
    if len(code) != 3 or not (code.isascii() and code.isalpha()) or code in _MINOR_UNITS:
        raise SymbolError(f"{text[:_SHOWN]!r} is no currency code like EUR", hint="give three letters")
    return code
