"""What an OCC option root says: underlying, exercise style and settlement.

Sources: the exchanges' contract specifications (SPX, NDX, RUT, DJX, OEX and VIX families) and the Options
Clearing Corporation's symbology: a digit at the end marks an adjusted contract or a mini, a digit at the
front marks a FLEX contract, whose terms its buyer and seller agreed on.
"""

from __future__ import annotations

import functools
from typing import Literal

import msgspec

__all__ = ["SHARE_CLASS_ROOTS", "RootTerms", "Settlement", "Style", "root_terms"]

Style = Literal["american", "european"]
Settlement = Literal["AM", "PM"]


class RootTerms(msgspec.Struct, frozen=True, gc=False):
    """Terms that all contracts of one root share.

    Args:
        underlying: Canonical symbol of what the option is written on; None where Yahoo has no symbol for it.
        style: When it can be exercised; None where the root does not tell.
        settlement: AM settles on the opening prices of the expiry day, PM on its close.
        underlying_scale: Strike units per unit of `underlying`'s price (DJX is on a hundredth of ^DJI).
    """

    underlying: str | None
    style: Style | None = "american"
    settlement: Settlement = "PM"
    underlying_scale: float = 1.0


_INDEX_ROOTS = {
    "SPX": RootTerms("^GSPC", "european", "AM"),
    "SPXW": RootTerms("^GSPC", "european", "PM"),
    "XSP": RootTerms("^GSPC", "european", "PM", 0.1),
    "NDX": RootTerms("^NDX", "european", "AM"),
    "NDXP": RootTerms("^NDX", "european", "PM"),
    "RUT": RootTerms("^RUT", "european", "AM"),
    "RUTW": RootTerms("^RUT", "european", "PM"),
    "DJX": RootTerms("^DJI", "european", "AM", 0.01),
    "XEO": RootTerms("^OEX", "european", "PM"),
    "OEX": RootTerms("^OEX", "american", "PM"),
    # Priced on the VIX future of the same expiry, not on ^VIX, and Yahoo has no symbol for that future.
    "VIX": RootTerms(None, "european", "AM"),
    "VIXW": RootTerms(None, "european", "AM"),
}

# Cash-settled index and currency roots whose style is not settled above: better unknown than guessed. They
# count as PM-settled, so that none is called expired before it surely is.
_INDEX_ROOTS_OF_UNKNOWN_STYLE = frozenset(
    "BKX DJT DJU DTX DUX HGX MRUT MXACW MXEA MXEF MXUSA "  # noqa: SIM905  codes read better as words
    "MXWLD NQX OSX RLG RLS RLV RUI SIXB SIXC SIXE SIXI SIXM SIXR SIXRE SIXT SIXU SIXV SIXY SOX SPEQX SPESG "
    "SPIKE UKXM UTY VXN XAU XDA XDB XDC XDE XDN XDS XDZ XND".split()
)

SHARE_CLASS_ROOTS = {
    "AKOB": "AKO-B",
    "BFA": "BF-A",
    "BFB": "BF-B",
    "BRKA": "BRK-A",
    "BRKB": "BRK-B",
    "CWENA": "CWEN-A",
    "GEFB": "GEF-B",
    "HEIA": "HEI-A",
    "LENB": "LEN-B",
    "LGFA": "LGF-A",
    "LGFB": "LGF-B",
    "MOGA": "MOG-A",
    "PBRA": "PBR-A",
    "RDSA": "RDS-A",
    "RDSB": "RDS-B",
    "UHALB": "UHAL-B",
}
"""Share classes as OCC roots and some brokers write them, without a separator; none is itself a ticker."""


@functools.lru_cache(maxsize=4096)
def root_terms(root: str) -> RootTerms:
    """Terms of an OCC root.

    Args:
        root: Upper-case root without padding, such as `SPXW`, `AAPL`, `SPY7` (adjusted) or `2SPX` (FLEX).

    Returns:
        The terms. An adjusted root has the terms of the root it came from; equity and ETF roots are American
        and settle PM; a FLEX root has no known style.
    """
    base = root.strip("0123456789")
    terms = _INDEX_ROOTS.get(base)
    if terms is None:
        if base in _INDEX_ROOTS_OF_UNKNOWN_STYLE:
            return RootTerms("^" + base, None)
        terms = RootTerms(SHARE_CLASS_ROOTS.get(base, base))
    if root[:1].isdigit():
        return RootTerms(terms.underlying, None, "PM", terms.underlying_scale)
    return terms
