"""Refreshing in passing: a hit within its grace window is answered at once and fetched anew behind it.

The hit itself only notes what is wanted. A thread of its own, which begins with the first such hit, does the
rest: to start a thread takes a hundred times as long as an answer.
"""

from __future__ import annotations

import os
import queue
import threading
import weakref
from collections.abc import Callable

from quotewell.records import Need

__all__ = ["Passing", "RefreshThread"]

Refresh = Callable[[list[Need]], None]
_LOOK_SECONDS = 0.02


class Passing:
    """Collects what is to be refreshed, and has it done.

    Args:
        refresh: A bound method that fetches anew; its object is not kept alive.
    """

    def __init__(self, refresh: Refresh) -> None:
        self._refresh = weakref.WeakMethod(refresh)
        self._starting = threading.Lock()
        self._begin_in_process()
        weakref.finalize(refresh.__self__, self._wanted.put, None).atexit = False  # type: ignore[attr-defined]

    def request(self, need: Need) -> bool:
        """Have `need` fetched soon; returns at once.

        Returns:
            Whether that can be done: there may be no room for a thread.
        """
        if self._process != os.getpid():
            self._begin_in_process()
        if self._worker is None and not self._started():
            return False
        self._wanted.put(need)
        return True

    def close(self) -> None:
        """End the thread; what is still wanted is not fetched."""
        self._wanted.put(None)

    def _begin_in_process(self) -> None:
        """Also after a fork, which takes no threads along."""
        self._process = os.getpid()
        self._wanted: _Wanted = queue.SimpleQueue()
        self._worker: RefreshThread | None = None

    def _started(self) -> bool:
        with self._starting:
            if self._worker is None:
                worker = RefreshThread(self._wanted, self._refresh)
                try:
                    worker.start()
                except RuntimeError:
                    return False
                self._worker = worker
            return True


_Wanted = queue.SimpleQueue[Need | threading.Event | None]


class RefreshThread(threading.Thread):
    """Does what is wanted, all that has gathered meanwhile in one go."""

    def __init__(self, wanted: _Wanted, refresh: weakref.WeakMethod[Refresh]) -> None:
        super().__init__(name="quotewell-passing", daemon=True)
        self._wanted = wanted
        self._refresh = refresh

    def settle(self, timeout: float) -> bool:
        """Wait until all that was wanted so far is on its way; False when `timeout` seconds have passed."""
        reached = threading.Event()
        self._wanted.put(reached)
        left = timeout
        while self.is_alive() and left > 0.0:  # it may be about to end, and then does no more
            if reached.wait(_LOOK_SECONDS):
                return True
            left -= _LOOK_SECONDS
        return not self.is_alive()

    def run(self) -> None:
        """Until None is wanted."""
        item = self._wanted.get()
        while item is not None:
            needs: list[Need] = []
            reached: list[threading.Event] = []
            while item is not None:
                if isinstance(item, threading.Event):
                    reached.append(item)
                else:
                    needs.append(item)
                if self._wanted.empty():
                    break
                item = self._wanted.get()
            refresh = self._refresh()
            if needs and refresh is not None:
                refresh(needs)
            del refresh  # while it waits, the service may go
            for event in reached:
                event.set()
            if item is not None:
                item = self._wanted.get()
