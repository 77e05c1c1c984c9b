"""`@cached`: the read-through engine for anybody's own functions.

```python
@cached(tickers, fresh=3600)
def rating(symbol: str) -> str: ...

@cached(tickers, fresh=3600, bulk=True)
def ratings(symbols: Collection[str]) -> dict[str, str]: ...   # is called with the missing symbols only
```

Results live in both cache levels, are fetched once however many threads and processes ask, and can be
invalidated everywhere. They are stored as msgpack and come back as the annotated return type; what does not
decode as that type is fetched again. Callers share the object that memory holds: do not change it.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, cast, overload

from quotewell.cache.calls import Arguments, CallTable, Evaluate, HasEngine
from quotewell.cache.readthrough import ReadThrough
from quotewell.cache.stats import FacetStats
from quotewell.freshness import Lifetime

__all__ = ["AsyncCached", "Cached", "HasEngine", "cached"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


class _Decorator(Protocol):
    @overload
    def __call__(  # type: ignore[overload-overlap]  # a coroutine function is a function: the first is meant
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncCached[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Cached[P, R]: ...


def cached(
    cache: HasEngine | str,
    *,
    fresh: float,
    grace: float = 0.0,
    on_error: float = 0.0,
    throttle: float = 0.0,
    namespace: str | None = None,
    bulk: bool = False,
) -> _Decorator:
    """Cache what a function, synchronous or asynchronous, returns.

    Args:
        cache: An open `TickerService`; for a method, the name of the attribute of its object that holds one.
        fresh: Seconds for which a result is answered at once.
        grace: Seconds after that for which it still is.
        on_error: Seconds after that for which it is answered when the function raises.
        throttle: Seconds after the function has raised during which it is not called again.
        namespace: The name of the table; default: the function's qualified name.
        bulk: The function takes a collection of string keys and returns a mapping; only keys that are not
            cached reach it, and a key that it leaves out of its mapping is left out of the result.

    Returns:
        A decorator. Arguments must be encodable as JSON; a method's `self` is not part of the key.
    """
    lifetime = Lifetime(
        fresh=fresh,
        grace=grace,
        on_error=fresh + grace + on_error,
        unknown=throttle,
        throttle=throttle,
        throttle_max=throttle,
    )

    def decorate(function: Callable[..., Any]) -> Any:
        name = namespace or f"{function.__module__}.{function.__qualname__}"
        table = CallTable(function, f"result:{name}", lifetime, bulk=bulk, has_owner=isinstance(cache, str))
        kind = AsyncCached if inspect.iscoroutinefunction(function) else Cached
        return kind(function, cache, table)

    return cast("_Decorator", decorate)


class _CachedFunction(Generic[P, R]):
    """What both kinds share: the table, the object they are bound to, invalidation and statistics."""

    __name__: str

    def __init__(
        self, function: Callable[..., Any], cache: HasEngine | str, table: CallTable, owner: Any = None
    ) -> None:
        functools.update_wrapper(cast("Any", self), function)
        self._function = function
        self._cache = cache
        self._table = table
        self._owner = owner

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> int:
        """Forget one result, or with `bulk` those of the keys given; return how many there were.

        Raises:
            CacheError: The persistent level could not be reached.
        """
        engine, needs = self._engine(), self._table.needs((args, kwargs))
        count = engine.store.invalidate(self._table.name, [key for key, _ in needs], hard=True)
        engine.forget_flights(needs)
        return count

    def clear(self) -> int:
        """Forget all results; return how many there were.

        Raises:
            CacheError: The persistent level could not be reached.
        """
        engine = self._engine()
        count = engine.store.invalidate(self._table.name, None, hard=True)
        engine.forget_all_flights([self._table.name])
        return count

    def stats(self) -> FacetStats:
        """Hits, misses and calls since the service was opened."""
        engine, name = self._engine(), self._table.name
        memory = engine.store.memory
        return engine.counters.facet(name, memory.hits(name), memory.evictions_of.get(name, 0))

    def _engine(self) -> ReadThrough:
        holder = getattr(self._owner, self._cache) if isinstance(self._cache, str) else self._cache
        return self._table.engine_of(cast("HasEngine", holder))

    def _original(self) -> Callable[..., Any]:
        if isinstance(self._cache, str):
            return functools.partial(self._function, self._owner)
        return self._function

    def _bound_to(self, instance: object) -> Self:
        return type(self)(self._function, self._cache, self._table, instance)


class Cached(_CachedFunction[P, R]):
    """A function whose results are cached; called like the function itself."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The cached result, or the function's own.

        Raises:
            DataUnavailable: The function raised a short while ago and is not called again yet.
        """
        return cast("R", self._table.answer(self._engine(), (args, kwargs), self._original()))

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self: Cached[Concatenate[S, Q], R], instance: S, owner: type) -> Cached[Q, R]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind to an object, as a method does."""
        return self if instance is None else self._bound_to(instance)


class AsyncCached(_CachedFunction[P, R]):
    """An asynchronous function whose results are cached; awaited like the function itself."""

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The cached result, or the function's own, which runs on the caller's event loop.

        Raises:
            DataUnavailable: The function raised a short while ago and is not called again yet.
        """
        engine, arguments = self._engine(), (args, kwargs)
        loop = asyncio.get_running_loop()
        original = self._original()

        def evaluate(*args: Any, **kwargs: Any) -> object:
            return asyncio.run_coroutine_threadsafe(original(*args, **kwargs), loop).result()

        if engine.in_memory(self._table.needs(arguments)):
            return cast("R", self._table.answer(engine, arguments, evaluate))
        return cast("R", await self._in_thread(loop, engine, arguments, evaluate))

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self: AsyncCached[Concatenate[S, Q], R], instance: S, owner: type) -> AsyncCached[Q, R]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind to an object, as a method does."""
        return self if instance is None else self._bound_to(instance)

    async def _in_thread(
        self, loop: asyncio.AbstractEventLoop, engine: ReadThrough, arguments: Arguments, evaluate: Evaluate
    ) -> object:
        """Wait for disk and for other callers off the loop.

        In a thread of its own: on a pool, cached functions that await cached functions could fill it with
        callers that wait for each other.
        """
        done: asyncio.Future[object] = loop.create_future()

        def answer() -> None:
            try:
                outcome = functools.partial(_settle, done, self._table.answer(engine, arguments, evaluate))
            except Exception as error:  # noqa: BLE001  raised where the result is awaited
                outcome = functools.partial(_fail, done, error)
            if not loop.is_closed():
                loop.call_soon_threadsafe(outcome)

        threading.Thread(target=answer, name="quotewell-cached", daemon=True).start()
        return await done


def _settle(done: asyncio.Future[object], result: object) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[object], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
