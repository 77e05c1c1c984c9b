"""A circuit breaker, as pure functions over its state: leave a provider alone that does not answer.

*Closed*: calls go through. After three whole-call failures in a row of kind `network`, `timeout`, `server`
or `denied` it *opens*: calls are refused for 30 s. Then it is *half-open*: one call is let through as a
probe. Its success closes the circuit; its failure opens it for twice as long as before, up to 15 minutes.
Other failures (a spent quota, a bad answer) say nothing about whether asking is of any use, and change
nothing.

All times are monotonic seconds, so that setting the wall clock neither opens nor closes a circuit.
"""

from __future__ import annotations

import msgspec

__all__ = ["CLOSED", "Circuit", "admit", "failed"]

_OPENS_AFTER = 3
_FIRST_WAIT = 30.0
_LONGEST_WAIT = 900.0
_COUNTED = frozenset(("network", "timeout", "server", "denied"))


class Circuit(msgspec.Struct, frozen=True, gc=False):
    """The state of one provider's circuit."""

    failures: int = 0
    """Counted failures in a row while closed."""
    wait: float = 0.0
    """How long it was opened for the last time, seconds; 0 is closed."""
    refuses_until: float = 0.0
    """While open: no call before this time."""
    probing: bool = False
    """Whether the one call of the half-open state is on its way."""


CLOSED = Circuit()
"""The state at the start and after every success."""


def admit(circuit: Circuit, now: float) -> tuple[Circuit, float]:
    """Ask to make a call.

    Args:
        circuit: The state.
        now: Monotonic seconds.

    Returns:
        The new state, and how many seconds the call must wait: 0 lets it through now, anything else refuses
        it. A probe that never reports back does not block the circuit for longer than its last wait.
    """
    if circuit.wait == 0.0:
        return circuit, 0.0
    if now < circuit.refuses_until:
        return circuit, circuit.refuses_until - now
    return Circuit(0, circuit.wait, now + circuit.wait, probing=True), 0.0


def failed(circuit: Circuit, failure: str, now: float) -> Circuit:
    """The state after a call that `admit` let through has failed as a whole.

    Args:
        circuit: The state.
        failure: The failure's kind.
        now: Monotonic seconds.
    """
    if failure not in _COUNTED:
        # The probe told nothing: the next call may be one.
        return Circuit(0, circuit.wait, now) if circuit.probing else circuit
    if circuit.probing:
        wait = min(2.0 * circuit.wait, _LONGEST_WAIT)
        return Circuit(0, wait, now + wait)
    if circuit.wait > 0.0:
        return circuit  # begun before it opened
    if circuit.failures + 1 < _OPENS_AFTER:
        return Circuit(circuit.failures + 1)
    return Circuit(0, _FIRST_WAIT, now + _FIRST_WAIT)
