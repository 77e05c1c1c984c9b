"""Made-up market data in a cache folder, for services that the benches open."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase

from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.clock import SystemClock
from quotewell.records import Profile, Quote, Record, Risk
from quotewell.service import TickerService
from quotewell.wiring import open as open_service

__all__ = [
    "FACETS",
    "made_quotes",
    "made_tickers",
    "offline_service",
    "store",
    "store_quotes",
    "store_tickers",
    "symbols",
]

FACETS = ("quote", "profile", "risk")

_BATCH = 10_000
_EXCHANGES = ("NMS", "NYQ", "PCX", "ASE")
_SECTORS = ("Technology", "Healthcare", "Energy", "Utilities", "Industrials", "Financial Services")
_WINDOW_END = 1_700_000_000.0


def symbols(count: int) -> list[str]:
    """Different symbols of five letters."""
    return [f"Q{_letters(number)}" for number in range(count)]


def made_quotes(names: Sequence[str], fetched_at: float, *, seed: int = 0) -> list[Quote]:
    """A quote with all usual fields for each name; another seed makes other prices."""
    chance = random.Random(seed)
    return [_quote(name, chance, fetched_at) for name in names]


def store_quotes(folder: Path, names: Sequence[str], fetched_at: float) -> None:
    """Put a quote for each of `names` into the cache of `folder`."""
    store(folder, "quote", made_quotes(names, fetched_at))


def store_tickers(folder: Path, names: Sequence[str]) -> None:
    """Put fresh records of `FACETS` for each of `names` into the cache of `folder`."""
    for start in range(0, len(names), _BATCH):
        for facet, records in made_tickers(names[start : start + _BATCH], seed=start).items():
            store(folder, facet, records)


def made_tickers(names: Sequence[str], *, seed: int = 0) -> Mapping[str, Sequence[Record]]:
    """Fresh records of `FACETS` for each name, by facet; another seed makes others."""
    chance, now = random.Random(seed), time.time()
    return {
        "quote": made_quotes(names, now, seed=seed),
        "profile": [_profile(name, chance, now) for name in names],
        "risk": [_risk(name, chance, now) for name in names],
    }


def offline_service(folder: Path) -> TickerService:
    """What `quotewell.open()` returns, everything on, told to ask no provider."""
    return open_service(cache_dir=folder, providers=["snapshot"], offline=True)


def store(folder: Path, table: str, records: Sequence[Record]) -> None:
    """Put records of one facet into the cache of `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    level = SqliteLevel(folder / "cache.db", SystemClock())
    try:
        refused = level.put_many(table, records, begun=level.rev())
    finally:
        level.close()
    if refused:
        raise RuntimeError(f"{len(refused)} records of {table} were refused")


def _letters(number: int) -> str:
    letters = ""
    for _ in range(4):
        number, digit = divmod(number, len(ascii_uppercase))
        letters = ascii_uppercase[digit] + letters
    return letters


def _quote(name: str, chance: random.Random, now: float) -> Quote:
    price = chance.uniform(5.0, 500.0)
    return Quote(
        symbol=name,
        source="yahoo",
        as_of=now - chance.uniform(1.0, 60.0),
        fetched_at=now,
        last=price,
        bid=price - 0.01,
        ask=price + 0.01,
        previous_close=price * chance.gauss(1.0, 0.02),
        currency="USD",
        exchange=chance.choice(_EXCHANGES),
        type="stock",
        delay=0.0,
        market_state="REGULAR",
    )


def _profile(name: str, chance: random.Random, now: float) -> Profile:
    return Profile(
        symbol=name,
        source="yahoo",
        fetched_at=now,
        name=f"{name.title()} Holdings Inc.",
        type="stock",
        exchange=chance.choice(_EXCHANGES),
        time_zone="America/New_York",
        sector=chance.choice(_SECTORS),
        currency="USD",
        stated_beta=chance.gauss(1.0, 0.4),
    )


def _risk(name: str, chance: random.Random, now: float) -> Risk:
    return Risk(
        symbol=name,
        source="yahoo",
        as_of=_WINDOW_END,
        fetched_at=now,
        beta=chance.gauss(1.0, 0.4),
        method="ols_daily",
        benchmark="^GSPC",
        window_start=_WINDOW_END - 2 * 365 * 86400.0,
        window_end=_WINDOW_END,
        n=504,
        standard_error=chance.uniform(0.02, 0.1),
        r_squared=chance.uniform(0.1, 0.8),
    )
