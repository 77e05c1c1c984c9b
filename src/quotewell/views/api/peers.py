"""What each of several processes has counted, at the moment that one of them is asked for it.

Each answers with its metrics at a Unix socket in a folder of this user alone; whoever is asked for all of
them asks there. Nothing is summed: a process that has ended takes its counts along, and a sum that falls
would be read as a counter that has begun anew, and what the others have counted as new.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

__all__ = ["Peers", "merged"]

_LOG = logging.getLogger("quotewell.api")
_PATIENCE = 2.0
"""Seconds for a process to tell its counts, which takes it some milliseconds."""
_CHUNK = 65_536


class _Family(msgspec.Struct, frozen=True):
    """One metric on its way."""

    name: str
    text: str
    kind: str
    samples: Sequence[tuple[str, Mapping[str, str], float]]


def merged(processes: Iterable[Iterable[Metric]]) -> list[Metric]:
    """The metrics of several processes, which their labels tell apart, each family once."""
    families: dict[str, Metric] = {}
    for metrics in processes:
        for metric in metrics:
            known = families.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
            known.samples.extend(metric.samples)
    return list(families.values())


class Peers:
    """This process among those that answer the same.

    Args:
        folder: In which each has its socket; only this user may look into it.
        name: This process' name among them.
        collect: This process' own metrics.
    """

    def __init__(self, folder: Path, name: str, collect: Callable[[], Iterable[Metric]]) -> None:
        self._folder = folder
        self._collect = collect
        self._path = folder / f"{name}.sock"
        self._path.unlink(missing_ok=True)  # of one that was killed, and had the same number
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(self._path))
        self._listening.listen()
        self._thread = threading.Thread(target=self._answer, name="quotewell-metrics", daemon=True)
        self._thread.start()

    def all(self) -> list[Metric]:
        """The metrics of all that answer; one that has ended is left out."""
        others = [
            told
            for path in sorted(self._folder.glob("*.sock"))
            if path != self._path and (told := _asked(path)) is not None
        ]
        processes = [list(self._collect()), *others]
        count = Metric("quotewell_workers", "Processes whose counts are in this answer.", "gauge")
        count.add_sample("quotewell_workers", {}, len(processes))
        return [*merged(processes), count]

    def close(self) -> None:
        """Answer no more."""
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it may not be connected, which is what shutting down ends
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(_PATIENCE)

    def _answer(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return  # closed
            with connection:
                connection.settimeout(_PATIENCE)
                try:
                    connection.sendall(_encoded(self._collect()))
                except OSError:  # who has asked is gone
                    continue
                except Exception:  # noqa: BLE001  this thread has to answer the next one
                    _LOG.exception("the metrics could not be told")


def _asked(path: Path) -> list[Metric] | None:
    """The metrics of another process; None where nobody answers, whose socket is then taken away."""
    parts = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(str(path))
            while part := connection.recv(_CHUNK):
                parts.append(part)
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return None
        except OSError:
            return None
    try:
        families = msgspec.msgpack.decode(b"".join(parts), type=list[_Family])
    except msgspec.DecodeError:  # it has ended in the middle of its answer
        return None
    return [_metric(family) for family in families]


def _encoded(metrics: Iterable[Metric]) -> bytes:
    return msgspec.msgpack.encode(
        [
            _Family(
                metric.name,
                metric.documentation,
                metric.type,
                [(sample.name, sample.labels, float(sample.value)) for sample in metric.samples],
            )
            for metric in metrics
        ]
    )


def _metric(family: _Family) -> Metric:
    metric = Metric(family.name, family.text, family.kind)
    metric.samples = [Sample(name, dict(labels), value) for name, labels, value in family.samples]
    return metric
