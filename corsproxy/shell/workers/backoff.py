"""How long to wait before restarting a process that has ended."""

FIRST_S = 0.5
LONGEST_S = 30.0
STEADY_S = 60.0
"""A process that lived this long has ended for a new reason: the pauses start over."""


class Backoff:
    """Doubles the pause each time, up to LONGEST_S, until a process has lived for STEADY_S."""

    def __init__(self) -> None:
        self._next = FIRST_S

    def after(self, alive_s: float) -> float:
        """Return the seconds to wait after a process that lived `alive_s` seconds."""
        if alive_s >= STEADY_S:
            self._next = FIRST_S
        pause = self._next
        self._next = min(pause * 2, LONGEST_S)
        return pause
