"""What goes over the wire to and from the simulated market."""

from __future__ import annotations

import datetime as dt
import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple

from quotewell.testing.simulator import MarketSimulator

WEDNESDAY_NOON = dt.datetime(2026, 10, 7, 16, 0, tzinfo=dt.UTC).timestamp()  # 12:00 in New York
SATURDAY = WEDNESDAY_NOON + 3 * 86400
KNOWN = ["AAPL", "MSFT", "SPY", "VOD.L"]


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def get(url: str, **headers: str) -> Reply:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return Reply(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, dict(error.headers), error.read())


def yahoo(simulator: MarketSimulator, path: str) -> Reply:
    joint = "&" if "?" in path else "?"
    return get(f"{simulator.yahoo_url}{path}{joint}crumb={simulator.endpoints.crumb}", Cookie="A3=simulated")


def quotes(simulator: MarketSimulator, *symbols: str, fields: str = "") -> list[dict[str, Any]]:
    query = f"symbols={','.join(symbols)}" + (f"&fields={fields}" if fields else "")
    rows: list[dict[str, Any]] = yahoo(simulator, f"/v7/finance/quote?{query}").json["quoteResponse"][
        "result"
    ]
    return rows


def fmp(simulator: MarketSimulator, path: str, key: str = "simulated-key") -> Reply:
    return get(f"{simulator.fmp_url}/{path}&apikey={key}")
