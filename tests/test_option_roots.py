from __future__ import annotations

import pytest

from quotewell.option_roots import SHARE_CLASS_ROOTS, RootTerms, root_terms


@pytest.mark.parametrize(
    ("root", "underlying", "style", "settlement", "scale"),
    [
        ("SPX", "^GSPC", "european", "AM", 1.0),
        ("NDX", "^NDX", "european", "AM", 1.0),
        ("RUT", "^RUT", "european", "AM", 1.0),
        ("DJX", "^DJI", "european", "AM", 0.01),
        ("SPXW", "^GSPC", "european", "PM", 1.0),
        ("NDXP", "^NDX", "european", "PM", 1.0),
        ("RUTW", "^RUT", "european", "PM", 1.0),
        ("XSP", "^GSPC", "european", "PM", 0.1),
        ("XEO", "^OEX", "european", "PM", 1.0),
        ("OEX", "^OEX", "american", "PM", 1.0),
        ("VIX", None, "european", "AM", 1.0),
        ("VIXW", None, "european", "AM", 1.0),
    ],
)
def test_index_roots_decide_underlying_style_and_settlement(
    root: str, underlying: str | None, style: str, settlement: str, scale: float
) -> None:
    terms = root_terms(root)

    assert terms.underlying == underlying
    assert terms.style == style
    assert terms.settlement == settlement
    assert terms.underlying_scale == scale


@pytest.mark.parametrize("root", ["AAPL", "SPY", "QQQ", "F"])
def test_equity_and_etf_roots_are_american_on_the_share_of_the_same_name(root: str) -> None:
    assert root_terms(root) == RootTerms(root, "american", "PM", 1.0)


@pytest.mark.parametrize("root", ["XND", "MRUT", "SOX", "BKX"])
def test_an_index_root_outside_the_table_has_no_style(root: str) -> None:
    assert root_terms(root) == RootTerms("^" + root, None, "PM", 1.0)


@pytest.mark.parametrize(("root", "base"), [("SPY7", "SPY"), ("AAPL1", "AAPL"), ("BRKB7", "BRKB")])
def test_an_adjusted_root_has_the_terms_of_the_root_it_came_from(root: str, base: str) -> None:
    assert root_terms(root) == root_terms(base)


@pytest.mark.parametrize(
    ("root", "underlying", "scale"), [("2SPX", "^GSPC", 1.0), ("4XSP", "^GSPC", 0.1), ("1AAPL", "AAPL", 1.0)]
)
def test_a_flex_root_keeps_its_underlying_but_has_no_known_style(
    root: str, underlying: str, scale: float
) -> None:
    assert root_terms(root) == RootTerms(underlying, None, "PM", scale)


@pytest.mark.parametrize(("root", "share"), SHARE_CLASS_ROOTS.items())
def test_a_share_class_root_leads_to_the_share_class(root: str, share: str) -> None:
    assert root_terms(root).underlying == share
    assert share.replace("-", "") == root
