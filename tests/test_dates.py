from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from quotewell.portfolio.importers.dates import as_of_in_name, as_of_in_text

NEW_YORK = ZoneInfo("America/New_York")


def at(*parts: int) -> float:
    return dt.datetime(*parts, tzinfo=NEW_YORK).timestamp()  # type: ignore[arg-type, misc]  # dates by their parts


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("Portfolio_Positions_May-08-2025.csv", (2025, 5, 8)),
        ("/home/me/2024-01-02/Portfolio_Positions_May-08-2025 (1).csv", (2025, 5, 8)),
        ("All-Accounts-Positions-2025-12-31.CSV", (2025, 12, 31)),
        ("positions_20250508.csv", (2025, 5, 8)),
        ("jan_2_2026.csv", (2026, 1, 2)),
    ],
)
def test_a_date_in_the_name_means_that_days_close(name: str, day: tuple[int, int, int]) -> None:
    assert as_of_in_name(name) == at(*day, 16, 0)


@pytest.mark.parametrize(
    "name",
    [
        "positions.csv",
        "fidelity-positions-2025-05.csv",
        "positions-2025-13-01.csv",
        "positions-2025-02-30.csv",
        "Z20250508123.csv",
        "account-1234567890.csv",
        "/home/2025-05-08/positions.csv",
    ],
)
def test_a_name_without_a_whole_date_gives_none(name: str) -> None:
    assert as_of_in_name(name) is None


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("Date downloaded May-08-2025", (2025, 5, 8, 16, 0)),
        ("Date downloaded 05/08/2025", (2025, 5, 8, 16, 0)),
        ("Date downloaded 2025-05-08", (2025, 5, 8, 16, 0)),
        # while the market is open: that minute; afterwards: the close; before the open: the close before
        ("Date downloaded May-08-2025 10:31 a.m ET", (2025, 5, 8, 10, 31)),
        ("Date downloaded 05/08/2025 12:05 PM ET", (2025, 5, 8, 12, 5)),
        ("Date downloaded May-08-2025 4:05 p.m ET", (2025, 5, 8, 16, 0)),
        ("Date downloaded May-08-2025 12:10 a.m ET", (2025, 5, 7, 16, 0)),
        ("Date downloaded May-11-2025 1:00 p.m ET", (2025, 5, 9, 16, 0)),  # a Sunday
        ("Date downloaded May-08-2025 31:99 p.m ET", (2025, 5, 8, 16, 0)),
        ("Date downloaded May-08-2025 at 10:31 Tokyo", (2025, 5, 8, 16, 0)),
        ("Positions for All-Accounts as of 11:04 AM ET, 05/08/2025", (2025, 5, 8, 11, 4)),
        ("Positions for All-Accounts as of 06:04 PM ET, 2025/05/08", (2025, 5, 8, 16, 0)),
        ("as of 14:50:44 ET 05/08/2025", (2025, 5, 8, 14, 50)),
        ("as of 25:50 ET 05/08/2025", (2025, 5, 8, 16, 0)),
        ("Generated at Jan 5 2026 12:00 PM ET", (2026, 1, 5, 12, 0)),
        ("Generated at Jan 5 2026 12:00 PM PT", (2026, 1, 5, 16, 0)),
        ("5/8/2025", (2025, 5, 8, 16, 0)),
    ],
)
def test_a_download_time_means_the_markets_prices_of_then(text: str, instant: tuple[int, ...]) -> None:
    assert as_of_in_text(text) == at(*instant)


@pytest.mark.parametrize(
    "text", ["Date downloaded", "Date downloaded Foo-08-2025", "Date downloaded 02/30/2025"]
)
def test_a_sentence_without_a_date_gives_none(text: str) -> None:
    assert as_of_in_text(text) is None
