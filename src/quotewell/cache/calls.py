"""Function calls as needs of the read-through engine: keys, results as records, and their loader."""

from __future__ import annotations

import functools
import inspect
import math
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Protocol, cast

import msgspec

from quotewell.cache.loading import Batch, Miss
from quotewell.cache.readthrough import Ask, ReadThrough
from quotewell.cache.store import TablePolicy
from quotewell.endpoints import Fetched, Lane
from quotewell.errors import DataUnavailable, UsageError
from quotewell.freshness import Lifetime
from quotewell.protocols import Clock
from quotewell.records import Need, Reading, Record, Result

__all__ = ["Arguments", "CallTable", "HasEngine"]

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword arguments of one call."""

Evaluate = Callable[..., object]


class HasEngine(Protocol):
    """What results can be cached in: an open ticker service."""

    @property
    def engine(self) -> ReadThrough:
        """The read-through engine."""
        ...


class CallTable:
    """The results of one function.

    Args:
        function: Tells names, signature and result type; it is not called here.
        name: The table's name.
        lifetime: How long results live.
        bulk: Whether the function takes a collection of keys and returns a mapping.
        has_owner: Whether its first parameter is the object that it is a method of.
    """

    def __init__(
        self, function: Callable[..., object], name: str, lifetime: Lifetime, *, bulk: bool, has_owner: bool
    ) -> None:
        self.name = name
        self.bulk = bulk
        self._function = function
        self._lifetime = lifetime
        self._owner_arguments = (None,) if has_owner else ()
        self._signature = inspect.signature(function)

    def engine_of(self, holder: HasEngine) -> ReadThrough:
        """The engine of `holder`, with this table known to it."""
        engine = holder.engine
        if self.name not in engine.store.policies:
            engine.store.policies[self.name] = _ResultPolicy(self._lifetime, self.decoder)
        return engine

    @functools.cached_property
    def decoder(self) -> msgspec.msgpack.Decoder[Any]:
        """Of results, to the annotated type; made at the first call, when forward references exist.

        Raises:
            UsageError: The annotation cannot be resolved, or not be decoded to.
        """
        try:
            return msgspec.msgpack.Decoder(self._result_type())
        except (NameError, TypeError) as error:
            hint = "annotate it with a type of the module's own level that msgspec knows"
            raise UsageError(
                f"{self.name}: its results cannot be cached, because of their type: {error}", hint=hint
            ) from error

    def needs(self, arguments: Arguments) -> list[Need]:
        """What a call wants to know.

        Raises:
            UsageError: The arguments cannot be keys.
        """
        keys = self._keys(arguments) if self.bulk else [self._key(arguments)]
        return [(key, self.name) for key in keys]

    def answer(self, engine: ReadThrough, arguments: Arguments, evaluate: Evaluate) -> object:
        """The result of a call, cached or from `evaluate`, which is called as the function would be.

        Raises:
            DataUnavailable: The function raised a short while ago and is not called again yet.
            UsageError: The arguments cannot be keys, or the result cannot be stored as what it is.
            Exception: What `evaluate` raises.
        """
        needs = self.needs(arguments)
        loader = _CallLoader(self, arguments, evaluate, engine.clock)
        readings = engine.read(needs, loader, Ask(deadline=math.inf))
        if not self.bulk:
            return _value(readings[needs[0]])
        return {need[0]: _value(readings[need]) for need in needs if not _left_out(readings[need])}

    def _keys(self, arguments: Arguments) -> list[str]:
        positional, named = arguments
        values = [*positional, *named.values()]
        # An iterator would be empty when it is asked for a second time.
        if len(values) != 1 or isinstance(values[0], str) or not isinstance(values[0], Collection):
            raise UsageError(f"{self.name}: a bulk function takes one collection of keys")
        keys = list(dict.fromkeys(values[0]))
        for key in keys:
            if not isinstance(key, str):
                raise UsageError(f"{self.name}: {key!r} cannot be a cache key: it is no text")
        return keys

    def _key(self, arguments: Arguments) -> str:
        positional, named = arguments
        bound = self._signature.bind(*self._owner_arguments, *positional, **named)
        bound.apply_defaults()
        values = list(bound.arguments.values())[len(self._owner_arguments) :]
        # A single text is readable as it is, unless it looks like the JSON of other arguments.
        if len(values) == 1 and isinstance(values[0], str) and not values[0].startswith("["):
            return values[0]
        if any(isinstance(value, float) and not math.isfinite(value) for value in values):
            raise UsageError(f"{self.name}: arguments cannot be a cache key: one is not finite")
        try:
            return msgspec.json.encode(values, order="sorted").decode()
        except TypeError as error:
            raise UsageError(f"{self.name}: arguments cannot be a cache key: {error}") from error

    def _result_type(self) -> Any:
        # Of all annotations only this one: the others may name what is imported for type checkers alone.
        function = inspect.unwrap(self._function)
        returned = SimpleNamespace(__annotations__={"return": _return_annotation(function)})
        annotation = typing.get_type_hints(returned, getattr(function, "__globals__", {}))["return"]
        if not self.bulk:
            return annotation
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        is_mapping = isinstance(origin, type) and issubclass(origin, Mapping)
        return arguments[1] if is_mapping and len(arguments) == 2 else Any


def _return_annotation(function: Callable[..., object]) -> Any:
    return getattr(function, "__annotations__", {}).get("return", Any)


class _ResultPolicy(TablePolicy):
    """Decodes results as they enter memory; what does not decode is a miss."""

    def __init__(self, lifetime: Lifetime, decoder: msgspec.msgpack.Decoder[Any]) -> None:
        super().__init__(lifetime)
        self._decoder = decoder

    def thaw(self, record: Record) -> Record | None:
        if not isinstance(record, Result) or record.blob is None or record.value is not None:
            return record
        try:
            record.value = self._decoder.decode(record.blob)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return record


class _CallLoader:
    """Calls the function, in the caller's thread, for the keys that are missing."""

    concurrency = 0

    def __init__(self, table: CallTable, arguments: Arguments, evaluate: Evaluate, clock: Clock) -> None:
        self._table = table
        self._arguments = arguments
        self._evaluate = evaluate
        self._clock = clock

    def batches(self, attempt: int, missing: Mapping[Need, Miss | None]) -> Sequence[Batch] | None:
        if attempt:
            return None
        return [Batch(tuple(missing), self._table.name, self._fetch)]

    def _fetch(self, needs: Sequence[Need], lane: Lane, deadline: float) -> Fetched:
        del lane, deadline
        try:
            results = self._results([key for key, _ in needs])
        except Exception as error:  # noqa: BLE001  any error of the function goes to all who wait for it
            return Fetched(failed=dict.fromkeys(needs, error))
        now = self._clock.now()
        found: dict[Need, Record] = {
            (key, self._table.name): self._record(key, value, now) for key, value in results.items()
        }
        return Fetched(found=found, omitted=set(needs) - found.keys())

    def _results(self, keys: Collection[str]) -> Mapping[str, object]:
        if self._table.bulk:
            return cast("Mapping[str, object]", self._evaluate(keys))
        positional, named = self._arguments
        return dict.fromkeys(keys, self._evaluate(*positional, **named))

    def _record(self, key: str, value: object, now: float) -> Result:
        """The result as whoever reads it later gets it: decoded from what is stored."""
        name = self._table.name
        try:
            blob = msgspec.msgpack.encode(value)
        except TypeError as error:
            raise UsageError(f"{name}: the result cannot be cached: {error}") from error
        try:
            decoded = self._table.decoder.decode(blob)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            hint = "return what the annotation says"
            raise UsageError(f"{name}: the result cannot be cached: {error}", hint=hint) from error
        return Result(symbol=key, source=name, as_of=now, fetched_at=now, blob=blob, value=decoded)


def _left_out(reading: Reading[Record]) -> bool:
    """Whether a bulk function returned a mapping without this key."""
    return (
        not reading.usable and reading.failure is not None and reading.failure.kind in ("omitted", "unknown")
    )


def _value(reading: Reading[Record]) -> object:
    if reading.usable and isinstance(reading.record, Result):
        return reading.record.value
    if reading.error is not None:
        raise reading.error
    reason = reading.failure.reason if reading.failure else "no result"
    raise DataUnavailable(reading.symbol, "result", reason)
