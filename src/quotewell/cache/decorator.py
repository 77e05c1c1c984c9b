"""`@cached`: the read-through engine for anybody's own functions.

```python
@cached(tickers, fresh=3600)
def rating(symbol: str) -> str: ...

@cached(tickers, fresh=3600, bulk=True)
def ratings(symbols: Collection[str]) -> dict[str, str]: ...   # is called with the missing symbols only
```

Results live in both cache levels, are fetched once however many threads and processes ask, and can be
invalidated everywhere. They are stored as msgpack and come back as the annotated return type; what does not
decode as that type is fetched again.
"""

from __future__ import annotations

import functools
import inspect
import math
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

import msgspec

from quotewell.cache.loading import Batch, Miss
from quotewell.cache.readthrough import Ask, ReadThrough
from quotewell.cache.stats import FacetStats
from quotewell.cache.store import TablePolicy
from quotewell.errors import DataUnavailable, UsageError
from quotewell.freshness import Lifetime
from quotewell.protocols import Clock, Fetched, Lane
from quotewell.records import Need, Reading, Record, Result

__all__ = ["Cached", "HasEngine", "cached"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


class HasEngine(typing.Protocol):
    """What results can be cached in: an open ticker service."""

    @property
    def engine(self) -> ReadThrough:
        """The read-through engine."""
        ...


def cached(
    cache: HasEngine | str,
    *,
    fresh: float,
    grace: float = 0.0,
    on_error: float = 0.0,
    throttle: float = 0.0,
    namespace: str | None = None,
    bulk: bool = False,
) -> Callable[[Callable[P, R]], Cached[P, R]]:
    """Cache what a function returns.

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

    def decorate(function: Callable[P, R]) -> Cached[P, R]:
        name = namespace or f"{function.__module__}.{function.__qualname__}"
        return Cached(function, cache, f"result:{name}", lifetime, bulk=bulk)

    return decorate


class Cached(Generic[P, R]):
    """A function whose results are cached; called like the function itself."""

    __name__: str

    def __init__(
        self,
        function: Callable[P, R],
        cache: HasEngine | str,
        table: str,
        lifetime: Lifetime,
        *,
        bulk: bool,
        owner: object | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._cache = cache
        self._table = table
        self._lifetime = lifetime
        self._bulk = bulk
        self._owner = owner
        self._signature = inspect.signature(function)
        self._is_method = isinstance(cache, str)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The cached result, or the function's own.

        Raises:
            DataUnavailable: The function raised a short while ago and is not called again yet.
        """
        if self._bulk:
            return cast("R", self._many(*args, **kwargs))
        key = self._key(args, kwargs)
        call = partial(self._one, key, args, kwargs)
        return cast("R", _value(self._read([key], call)[key, self._table]))

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self: Cached[Concatenate[S, Q], R], instance: S, owner: type) -> Cached[Q, R]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind to an object, as a method does."""
        if instance is None:
            return self
        return Cached(
            self._function, self._cache, self._table, self._lifetime, bulk=self._bulk, owner=instance
        )

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> int:
        """Forget one result, or with `bulk` those of the keys given; return how many there were.

        Raises:
            CacheError: The persistent level could not be reached.
        """
        keys = list(self._keys(args, kwargs)) if self._bulk else [self._key(args, kwargs)]
        engine = self._engine()
        count = engine.store.invalidate(self._table, keys, hard=True)
        engine.forget_flights([(key, self._table) for key in keys])
        return count

    def clear(self) -> int:
        """Forget all results; return how many there were.

        Raises:
            CacheError: The persistent level could not be reached.
        """
        engine = self._engine()
        count = engine.store.invalidate(self._table, None, hard=True)
        engine.forget_all_flights([self._table])
        return count

    def stats(self) -> FacetStats:
        """Hits, misses and calls since the service was opened."""
        engine = self._engine()
        return engine.counters.facet(self._table, engine.store.memory.hits(self._table))

    # ------------------------------------------------------------------------------------------- inside

    def _engine(self) -> ReadThrough:
        holder = getattr(self._owner, self._cache) if isinstance(self._cache, str) else self._cache
        engine = cast("HasEngine", holder).engine
        if self._table not in engine.store.policies:
            engine.store.policies[self._table] = _ResultPolicy(self._lifetime, self._result_type())
        return engine

    def _read(
        self, keys: Iterable[str], call: Callable[[Collection[str]], Mapping[str, object]]
    ) -> dict[Need, Reading[Record]]:
        needs = [(key, self._table) for key in keys]
        engine = self._engine()
        loader = _FunctionLoader(self._table, call, engine.clock)
        return engine.read(needs, loader, Ask(deadline=math.inf))

    def _one(
        self, key: str, args: tuple[Any, ...], kwargs: dict[str, Any], missing: Collection[str]
    ) -> Mapping[str, object]:
        del missing
        return {key: self._call(*args, **kwargs)}

    def _many(self, *args: Any, **kwargs: Any) -> dict[str, object]:
        keys = self._keys(args, kwargs)
        readings = self._read(keys, lambda missing: cast("Mapping[str, object]", self._call(list(missing))))
        found: dict[str, object] = {}
        for key in keys:
            reading = readings[key, self._table]
            if reading.usable or reading.error is not None:
                found[key] = _value(reading)
            elif reading.failure is not None and reading.failure.kind not in ("omitted", "unknown"):
                _value(reading)
        return found

    def _call(self, *args: Any, **kwargs: Any) -> object:
        function = cast("Callable[..., object]", self._function)
        return function(self._owner, *args, **kwargs) if self._is_method else function(*args, **kwargs)

    def _keys(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
        values = [*args, *kwargs.values()]
        if len(values) != 1 or isinstance(values[0], str):
            raise UsageError(f"{self._table}: a bulk function takes one collection of keys")
        return list(dict.fromkeys(values[0]))

    def _key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        leading = (None,) if self._is_method else ()
        bound = self._signature.bind(*leading, *args, **kwargs)
        bound.apply_defaults()
        values = list(bound.arguments.values())[len(leading) :]
        if len(values) == 1 and isinstance(values[0], str):
            return values[0]
        try:
            return msgspec.json.encode(values, order="sorted").decode()
        except TypeError as error:
            raise UsageError(f"{self._table}: arguments cannot be a cache key: {error}") from error

    def _result_type(self) -> Any:
        annotation = typing.get_type_hints(self._function).get("return", Any)
        if not self._bulk:
            return annotation
        arguments = typing.get_args(annotation)
        return arguments[1] if len(arguments) == 2 else Any


class _ResultPolicy(TablePolicy):
    """Decodes results as they enter memory; what does not decode is a miss."""

    def __init__(self, lifetime: Lifetime, result_type: Any) -> None:
        super().__init__(lifetime)
        self._decoder = msgspec.msgpack.Decoder(result_type)

    def thaw(self, record: Record) -> Record | None:
        if not isinstance(record, Result) or record.blob is None:
            return record
        try:
            record.value = self._decoder.decode(record.blob)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return record


class _FunctionLoader:
    """Calls the function, in the caller's thread, with the keys that are missing."""

    concurrency = 0

    def __init__(
        self, table: str, call: Callable[[Collection[str]], Mapping[str, object]], clock: Clock
    ) -> None:
        self._table = table
        self._call = call
        self._clock = clock

    def batches(self, attempt: int, missing: Mapping[Need, Miss | None]) -> Sequence[Batch] | None:
        if attempt:
            return None
        return [Batch(tuple(missing), self._table, self._fetch)]

    def _fetch(self, needs: Sequence[Need], lane: Lane, deadline: float) -> Fetched:
        del lane, deadline
        keys = [key for key, _ in needs]
        try:
            results = self._call(keys)
        except Exception as error:  # noqa: BLE001  any error of the function goes to all who wait for it
            return Fetched(failed=dict.fromkeys(needs, error))
        now = self._clock.now()
        found: dict[Need, Record] = {
            (key, self._table): Result(
                symbol=key, source=self._table, as_of=now, fetched_at=now, blob=self._encoded(value)
            )
            for key, value in results.items()
        }
        return Fetched(found=found, omitted=set(needs) - found.keys())

    def _encoded(self, value: object) -> bytes:
        try:
            return msgspec.msgpack.encode(value)
        except TypeError as error:
            raise UsageError(f"{self._table}: the result cannot be cached: {error}") from error


def _value(reading: Reading[Record]) -> object:
    if reading.usable and isinstance(reading.record, Result):
        return reading.record.value
    if reading.error is not None:
        raise reading.error
    reason = reading.failure.reason if reading.failure else "no result"
    raise DataUnavailable(reading.symbol, "result", reason)
