"""Functions called in a forked process, if need be as a user whom permissions concern."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

NOBODY = 65534


def in_child(function: Callable[[], Any], *, uid: int | None = None) -> str:
    """What `function` returned, or the error that it raised, in a forked process."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if uid is not None:
                os.setuid(uid)
            answer = f"returned {function()!r}"
        except BaseException as error:  # noqa: BLE001  told to the parent
            answer = f"raised {type(error).__name__}: {error}"
        os.write(write_end, answer.encode()[:4000])
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        answer = pipe.read().decode()
    os.waitpid(pid, 0)
    return answer


def as_nobody(function: Callable[[], Any]) -> str:
    """Run as a user whom permissions concern: they do not concern root."""
    return in_child(function, uid=NOBODY if os.geteuid() == 0 else None)
