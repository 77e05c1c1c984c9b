"""Prefetches that go on behind the answer: their progress can be asked for and followed."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import msgspec

from quotewell.errors import QuotewellError
from quotewell.outcomes import PrefetchReport, Progress
from quotewell.protocols import Clock
from quotewell.views.api.problems import NotFoundError, OverloadedError
from quotewell.views.documents import Prefetch, prefetch_document
from quotewell.views.words import iso

__all__ = ["Job", "JobError", "Jobs"]

_LOG = logging.getLogger("quotewell.api")
_AT_ONCE = 2
_MOST_WAITING = 20
_MOST_KEPT = 100
_HEARTBEAT = 15.0
"""Seconds after which a follower hears that the connection is still there."""

State = Literal["waiting", "running", "done", "failed", "cancelled"]
Prefetcher = Callable[[Callable[[Progress], None]], PrefetchReport]
"""Fetches; tells its argument how far it is, and ends when that raises."""


class JobError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job failed."""

    kind: str
    message: str
    hint: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A prefetch, as it is now."""

    schema: int = 1
    id: str
    state: State
    created_at: str | None
    progress: Progress | None
    """Null until it runs."""
    report: Prefetch | None
    """What became of everything, once it is done."""
    error: JobError | None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state not in ("waiting", "running")


class _CancelledError(Exception):
    """Ends a prefetch from inside."""


class _Running:
    """A job and who follows it; changed in the event loop's thread alone."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.cancelled = False
        self.changed = asyncio.Event()

    def become(self, **changes: object) -> None:
        self.job = msgspec.structs.replace(self.job, **changes)
        self.changed.set()
        self.changed = asyncio.Event()


class Jobs:
    """The last jobs; two run at a time, the others wait. For one event loop.

    Args:
        clock: The time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="quotewell_jobs")
        self._jobs: dict[str, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, prefetch: Prefetcher) -> Job:
        """Begin a job, or let it wait for its turn.

        Raises:
            OverloadedError: Too many wait already.
        """
        if sum(running.job.state == "waiting" for running in self._jobs.values()) >= _MOST_WAITING:
            raise OverloadedError("too many prefetches wait already", hint="wait for one to end")
        for key in [key for key, running in self._jobs.items() if running.job.ended][: self._too_many()]:
            del self._jobs[key]
        job = Job(
            id=secrets.token_urlsafe(16),
            state="waiting",
            created_at=iso(self._clock.now()),
            progress=None,
            report=None,
            error=None,
        )
        running = self._jobs[job.id] = _Running(job)
        task = asyncio.get_running_loop().create_task(self._run(running, prefetch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def get(self, key: str) -> Job:
        """The job as it is now.

        Raises:
            NotFoundError: There is none, or none any more.
        """
        return self._find(key).job

    def all(self) -> list[Job]:
        """All that are kept, the oldest first."""
        return [running.job for running in self._jobs.values()]

    def cancel(self, key: str) -> Job:
        """End a job; what is on its way is still fetched and kept.

        Raises:
            NotFoundError: There is none.
        """
        running = self._find(key)
        running.cancelled = True
        return running.job

    async def follow(self, key: str) -> AsyncIterator[Job | None]:
        """The job each time that it has changed, until it has ended; None when nothing changes for a while.

        Raises:
            NotFoundError: There is none.
        """
        running = self._find(key)
        while True:
            changed, job = running.changed, running.job
            yield job
            if job.ended:
                return
            while running.job is job:
                try:
                    await asyncio.wait_for(changed.wait(), _HEARTBEAT)
                except TimeoutError:
                    yield None

    def close(self) -> None:
        """End all of them."""
        for running in self._jobs.values():
            running.cancelled = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _too_many(self) -> int:
        return max(0, len(self._jobs) + 1 - _MOST_KEPT)

    def _find(self, key: str) -> _Running:
        try:
            return self._jobs[key]
        except KeyError:
            raise NotFoundError("there is no such job, or none any more") from None

    async def _run(self, running: _Running, prefetch: Prefetcher) -> None:
        loop = asyncio.get_running_loop()

        def tell(progress: Progress) -> None:
            if running.cancelled:
                raise _CancelledError
            loop.call_soon_threadsafe(lambda: running.become(progress=progress))

        def work() -> PrefetchReport:
            if running.cancelled:
                raise _CancelledError
            loop.call_soon_threadsafe(lambda: running.become(state="running"))
            return prefetch(tell)

        try:
            report = await loop.run_in_executor(self._pool, work)
        except _CancelledError:
            running.become(state="cancelled")
        except QuotewellError as error:
            failure = JobError(kind=error.kind, message=str(error), hint=error.hint)
            running.become(state="failed", error=failure)
        except Exception:  # noqa: BLE001  nobody waits for the task: a fault of ours is told here
            _LOG.exception("a prefetch failed")
            failure = JobError(kind="error", message="it failed; the server's log says why", hint="")
            running.become(state="failed", error=failure)
        else:
            running.become(
                state="done",
                progress=_ended(running.job.progress, report),
                report=prefetch_document(report),
            )


def _ended(progress: Progress | None, report: PrefetchReport) -> Progress:
    """How far a prefetch is that has ended; the last that was told is a moment old."""
    values, symbols = len(report.outcomes), len(report.by_symbol())
    return Progress(
        symbols=symbols,
        done=symbols,
        requests=report.requests,
        waited=report.waited,
        seconds=report.seconds,
        values=values,
        values_done=values,
        planned=report.requests if progress is None else progress.planned,
    )
