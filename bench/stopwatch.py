"""Processor time by step, of functions that call each other: each has its own time, without its callees'."""

from __future__ import annotations

import functools
import importlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

__all__ = ["Stopwatch"]


class Stopwatch:
    """Sums up the processor time of watched functions while `watching`."""

    def __init__(self) -> None:
        self.seconds = Counter[str]()
        self.calls = Counter[str]()
        self._steps: list[str] = []
        self._since = 0.0

    @contextmanager
    def watching(self, places: dict[str, str | Callable[..., str]]) -> Iterator[None]:
        """Watch functions, named `module:function`, each as one step or as the step that its arguments tell.

        Raises:
            AttributeError: One of the functions is no longer there.
        """
        with ExitStack() as stack:
            for place, step in places.items():
                module, _, name = place.partition(":")
                target = importlib.import_module(module)
                stack.enter_context(mock.patch.object(target, name, self._timed(getattr(target, name), step)))
            yield

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Everything in here that no other step takes."""
        self._stop()
        self._steps.append(name)
        self.calls[name] += 1
        try:
            yield
        finally:
            self._stop()
            self._steps.pop()

    def _timed(self, work: Callable[..., Any], step: str | Callable[..., str]) -> Callable[..., Any]:
        @functools.wraps(work)
        def timed(*arguments: Any, **options: Any) -> Any:
            with self.step(step if isinstance(step, str) else step(*arguments)):
                return work(*arguments, **options)

        return timed

    def _stop(self) -> None:
        """Give the time since the last call to the innermost step."""
        now = time.process_time()
        if self._steps:
            self.seconds[self._steps[-1]] += now - self._since
        self._since = now
