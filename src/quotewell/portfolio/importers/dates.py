"""The as-of of a file's prices: from what it says about itself, else from its name; never its mtime.

A date means that day's close in New York. A date with a time says when the file was downloaded: its prices
are the market's at that time, so that, when the market is closed then, they are those of the last close.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import PurePath
from zoneinfo import ZoneInfo

from quotewell.calendars import close_of, new_york_sessions

__all__ = ["as_of_in_name", "as_of_in_text"]

_NEW_YORK = ZoneInfo("America/New_York")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED = (
    rf"(?P<name>{'|'.join(_MONTHS)})[a-z]*[-_ .]"
    r"(?P<named_day>[0-9]{1,2}),?[-_ ](?P<named_year>20[0-9]{2})"
)
_ISO = r"(?P<year>20[0-9]{2})[-/](?P<month>[0-9]{1,2})[-/](?P<day>[0-9]{1,2})"
_COMPACT = r"(?P<compact>20[0-9]{6})"
_AMERICAN = r"(?P<us_month>[0-9]{1,2})/(?P<us_day>[0-9]{1,2})/(?P<us_year>20[0-9]{2})"

_IN_NAME = re.compile(rf"(?<![0-9A-Za-z])(?:{_NAMED}|{_ISO}|{_COMPACT})(?![0-9])", re.IGNORECASE)
_IN_TEXT = re.compile(rf"{_NAMED}|{_ISO}|{_AMERICAN}", re.IGNORECASE)
_TIME = re.compile(
    r"(?<![0-9:])(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::[0-9]{2})?"
    r"\s*(?:(?P<half>[ap])\.?m\.?)?\s*(?:E[SD]?T|Eastern)\b",
    re.IGNORECASE,
)


def as_of_in_name(name: str) -> float | None:
    """The close of the first date in a file's name (`May-08-2025`, `2025-05-08`, `20250508`)."""
    for match in _IN_NAME.finditer(PurePath(name).stem.replace("_", " ")):
        day = _day(match.groupdict())
        if day is not None:
            return close_of(day)
    return None


def as_of_in_text(text: str) -> float | None:
    """The as-of that a broker's sentence gives; None without a date.

    Such as `Date downloaded May-08-2025 4:05 p.m ET`, `as of 06:04 PM ET, 2020/11/15`, or `Generated at
    Jan 1 2026 12:00 PM ET`; a time of another zone than New York's is left out.
    """
    match = _IN_TEXT.search(text)
    day = _day(match.groupdict()) if match else None
    if day is None:
        return None
    time = _time_of_day(_TIME.search(text))
    if time is None:
        return close_of(day)
    downloaded = dt.datetime.combine(day, time, _NEW_YORK).timestamp()
    sessions = new_york_sessions(downloaded)
    return downloaded if sessions.is_open else sessions.previous.close


def _time_of_day(match: re.Match[str] | None) -> dt.time | None:
    if match is None:
        return None
    hour, minute, half = int(match["hour"]), int(match["minute"]), match["half"]
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.lower() == "p" else 0)
    return dt.time(hour, minute) if hour < 24 and minute < 60 else None


def _day(groups: dict[str, str | None]) -> dt.date | None:
    parts: tuple[str | None, str | None, str | None]
    if name := groups.get("name"):
        parts = (groups["named_year"], str(_MONTHS.index(name.lower()) + 1), groups["named_day"])
    elif compact := groups.get("compact"):
        parts = (compact[:4], compact[4:6], compact[6:])
    elif groups.get("us_year"):
        parts = (groups["us_year"], groups["us_month"], groups["us_day"])
    else:
        parts = (groups["year"], groups["month"], groups["day"])
    try:
        return dt.date(*(int(part or "") for part in parts))
    except ValueError:
        return None
