"""Where a cache in PostgreSQL is, and the extra that is needed to get there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewell.errors import missing_extra

if TYPE_CHECKING:
    from quotewell.cache.postgres.pool import PostgresPool

__all__ = ["open_pool"]


def open_pool(url: str, schema: str, *, timeout: float) -> PostgresPool:
    """Connections to a shared cache.

    Args:
        url: `postgresql://user:password@host:port/database?sslmode=…`, as libpq reads it.
        schema: Where its tables are; made when they do not exist.
        timeout: Seconds that any operation may take.

    Raises:
        CacheError: The server cannot be used.
        UsageError: The extra is not installed, or the URL or the name of the schema is none.
    """
    try:
        from quotewell.cache.postgres.pool import PostgresPool  # noqa: PLC0415  needs the extra
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] == "quotewell":
            raise
        raise missing_extra("a cache in PostgreSQL", error.name, "postgres") from error
    return PostgresPool(url, schema, timeout=timeout)
