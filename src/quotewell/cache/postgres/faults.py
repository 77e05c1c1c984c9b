"""What can go wrong with a PostgreSQL server, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewell.errors import CacheError

if TYPE_CHECKING:
    import psycopg

__all__ = ["cache_error", "is_missing"]

_MISSING = ("3F000", "42P01")
_WORDS = {
    "08": ("the connection is lost", "check that the server runs and can be reached"),
    "22": ("a value cannot be stored or read", "report this as a bug of the provider"),
    "23": ("a value cannot be stored", "report this as a bug of the provider"),
    "25": ("it only reads", "it may be a standby: name the primary in QUOTEWELL_CACHE_URL"),
    "42501": ("this user may not do that", "docs/shared-cache.md says what a user must be allowed to do"),
    "53": ("it has no room", "free some of the server's disk, memory or connections"),
    "55P03": ("another process holds its lock for too long", "try again later"),
    "57": ("it ended the statement", "check that the server runs"),
}
"""By the longest beginning of the SQLSTATE."""
_OF_VALUES = ("DataError", "ProgrammingError")
"""What psycopg raises before it sends anything."""


def cache_error(
    place: str, error: psycopg.Error | UnicodeError | OverflowError, *, secret: str
) -> CacheError:
    """The library's error for what psycopg said about the server at `place`, without `secret`."""
    state = getattr(error, "sqlstate", None)
    said = " ".join(str(error).split())
    if secret:
        said = said.replace(secret, "***")
    if state is not None:
        words = next((_WORDS[state[:n]] for n in (5, 2) if state[:n] in _WORDS), None)
        reason, hint = words or ("the database refused", "")
    elif isinstance(error, (UnicodeError, OverflowError)) or type(error).__name__ in _OF_VALUES:
        reason, hint = _WORDS["22"]
    elif "FATAL:" in said:  # libpq tells no SQLSTATE of a connection that was refused
        reason, hint = "it refuses the connection", "check QUOTEWELL_CACHE_URL, and what the server allows"
    else:
        reason, hint = "it cannot be reached", "check QUOTEWELL_CACHE_URL, and that the server runs"
    return CacheError(f"{place}: {reason} ({said})", hint=hint)


def is_missing(error: Exception) -> bool:
    """Whether an error means that the tables are gone, as when a person has dropped the schema."""
    return getattr(error, "sqlstate", None) in _MISSING
