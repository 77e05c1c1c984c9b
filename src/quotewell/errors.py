"""Every error and warning of quotewell, in one tree.

```
QuotewellError                  kind, hint; base of all that the library raises
├── UsageError                  a wrong argument or setting; the command line exits with 2
├── SymbolError (ValueError)    text that cannot be a ticker symbol
├── ImportFailed                a file that cannot be read as positions: file, line, reason
├── DataUnavailable             no usable value: symbol, facet, reason, the stale record if there is one
├── ProviderError               a provider could not answer: provider, failure kind, retry_at
└── CacheError                  the persistent level could not be reached

QuotewellWarning (UserWarning)
├── StaleDataWarning            a stale value was served; once a symbol
└── CacheDegradedWarning        the persistent level is out of order; the service goes on without it
```
"""

from __future__ import annotations

from typing import Literal

__all__ = [
    "CacheDegradedWarning",
    "CacheError",
    "DataUnavailable",
    "FailureKind",
    "ImportFailed",
    "ProviderError",
    "QuotewellError",
    "QuotewellWarning",
    "StaleDataWarning",
    "SymbolError",
    "UsageError",
    "missing_extra",
]

FailureKind = Literal[
    "unknown",  # the provider clearly said, or twice showed, that there is no such symbol
    "omitted",  # silently left out of an answer, once
    "rate_limited",  # 429, or a pause that one has caused
    "quota",  # the daily allowance is spent, or must not be spent on this
    "timeout",
    "network",
    "server",  # 5xx, or under status 200 an error or something that cannot be read
    "invalid",  # a value that fails the border checks, or an answer about something else
    "suspect",  # a price held back, see Quote.suspect
    "denied",  # 401, 403, or 402: not in the plan
    "unsupported",  # no configured provider has this facet
    "insufficient",  # too little history to compute the value
]
"""What kept a provider from answering; `records.Failure` remembers it."""


class QuotewellError(Exception):
    """Base of all errors that quotewell raises.

    Args:
        message: What happened and where, in one line.
        hint: What the reader can do about it, in one line; may be empty.
    """

    kind = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(QuotewellError):
    """A wrong argument, option or setting."""

    kind = "usage"


def missing_extra(what: str, package: str | None, extra: str) -> UsageError:
    """The error for a package that only an extra of quotewell brings along."""
    return UsageError(
        f"{what} needs {package}, which is not installed", hint=f"pip install 'quotewell[{extra}]'"
    )


class SymbolError(QuotewellError, ValueError):
    """Text that cannot be a ticker symbol."""

    kind = "symbol"


class ImportFailed(QuotewellError):  # noqa: N818  read aloud, "import failed" is the name of the event
    """A file that cannot be read as positions.

    Args:
        path: The file as the user named it.
        reason: What is wrong with it.
        line: The line number, counted from 1, where one can be named.
        hint: What to do.
    """

    kind = "import"

    def __init__(self, path: str, reason: str, *, line: int | None = None, hint: str = "") -> None:
        where = path if line is None else f"{path}:{line}"
        super().__init__(f"{where}: {reason}", hint=hint)
        self.path = path
        self.line = line
        self.reason = reason


class DataUnavailable(QuotewellError):  # noqa: N818  the public name in the design
    """No usable value for one symbol.

    Args:
        symbol: The canonical symbol.
        facet: The kind of data that was asked for.
        reason: Why there is none.
        stale: The last good record, when one exists but is older than asked for.
    """

    kind = "unavailable"

    def __init__(self, symbol: str, facet: str, reason: str, *, stale: object | None = None) -> None:
        super().__init__(f"{symbol}: no {facet}: {reason}")
        self.symbol = symbol
        self.facet = facet
        self.reason = reason
        self.stale = stale


class ProviderError(QuotewellError):
    """A provider could not answer a request.

    Args:
        provider: The provider's name.
        failure: What kind of failure it is.
        reason: What the provider or the network said, without secrets.
        retry_at: Epoch seconds before which asking again is useless, if that is known.
    """

    kind = "provider"

    def __init__(
        self, provider: str, failure: FailureKind, reason: str, *, retry_at: float | None = None
    ) -> None:
        super().__init__(f"{provider}: {reason}")
        self.provider = provider
        self.failure = failure
        self.reason = reason
        self.retry_at = retry_at


class CacheError(QuotewellError):
    """The persistent level could not be reached, read or written."""

    kind = "cache"


class QuotewellWarning(UserWarning):
    """Base of all warnings that quotewell emits."""


class StaleDataWarning(QuotewellWarning):
    """A stale value was served, because nothing younger could be had."""


class CacheDegradedWarning(QuotewellWarning):
    """The persistent level is out of order; values are kept in memory only."""
