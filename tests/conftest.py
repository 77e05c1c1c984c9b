"""What holds for all tests."""

from __future__ import annotations

import pytest

from quotewell import wiring
from quotewell.freshness import session_table


class _PlainCalendars:
    def __init__(self, engine: object) -> None:
        del engine

    table_of = staticmethod(session_table)


@pytest.fixture(autouse=True)
def plain_calendars(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `Settings(calendars="plain")`: a fetch that imports pandas outlasts a `ManualClock`'s patience.

    A module that tests the exchanges' own sessions overrides this fixture.
    """
    monkeypatch.setattr(wiring, "ExchangeSessions", _PlainCalendars)
