"""quotewell: one source of truth for ticker data, and the portfolio report built on it.

```python
import quotewell

with quotewell.open() as tickers:
    tickers.get_price("AAPL")
```

Names are imported when they are first used, so that `import quotewell` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from quotewell._version import __version__

if TYPE_CHECKING:
    from quotewell.aio import AsyncTickerService
    from quotewell.cache.decorator import cached
    from quotewell.cache.stats import CacheStats, DayStats
    from quotewell.errors import (
        CacheDegradedWarning,
        CacheError,
        DataUnavailable,
        ImportFailed,
        ProviderError,
        QuotewellError,
        QuotewellWarning,
        StaleDataWarning,
        SymbolError,
        UsageError,
    )
    from quotewell.outcomes import PrefetchReport
    from quotewell.portfolio.portfolio import Portfolio
    from quotewell.records import Freshness, Provenance, Reading, TickerData
    from quotewell.refresh import Refresher, RefreshStatus
    from quotewell.service import TickerService
    from quotewell.settings import Settings
    from quotewell.wiring import open

__all__ = [
    "AsyncTickerService",
    "CacheDegradedWarning",
    "CacheError",
    "CacheStats",
    "DataUnavailable",
    "DayStats",
    "Freshness",
    "ImportFailed",
    "Portfolio",
    "PrefetchReport",
    "Provenance",
    "ProviderError",
    "QuotewellError",
    "QuotewellWarning",
    "Reading",
    "RefreshStatus",
    "Refresher",
    "Settings",
    "StaleDataWarning",
    "SymbolError",
    "TickerData",
    "TickerService",
    "UsageError",
    "__version__",
    "cached",
    "open",
]

_HOMES = {
    "AsyncTickerService": "aio",
    "CacheDegradedWarning": "errors",
    "CacheError": "errors",
    "CacheStats": "cache.stats",
    "DataUnavailable": "errors",
    "DayStats": "cache.stats",
    "Freshness": "records",
    "ImportFailed": "errors",
    "Portfolio": "portfolio.portfolio",
    "PrefetchReport": "outcomes",
    "Provenance": "records",
    "ProviderError": "errors",
    "QuotewellError": "errors",
    "QuotewellWarning": "errors",
    "Reading": "records",
    "RefreshStatus": "refresh",
    "Refresher": "refresh",
    "Settings": "settings",
    "StaleDataWarning": "errors",
    "SymbolError": "errors",
    "TickerData": "records",
    "TickerService": "service",
    "UsageError": "errors",
    "cached": "cache.decorator",
    "open": "wiring",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'quotewell' has no attribute {name!r}")
    return getattr(importlib.import_module(f"quotewell.{home}"), name)


def __dir__() -> list[str]:
    return __all__
