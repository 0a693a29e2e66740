"""Rate limits for a peer: a large burst, then a moderate rate."""

from typing import Final


class Budget:
    """A token bucket."""

    __slots__ = ("_at", "_left", "_most", "_per_second")

    def __init__(self, most: int, per_second: float) -> None:
        self._most: Final = float(most)
        self._per_second: Final = per_second
        self._left = float(most)
        self._at = 0.0

    def spend(self, now: float, amount: int = 1) -> bool:
        """Take `amount` at the time `now`, in seconds; returns whether there was enough."""
        self._left = min(self._most, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = now
        self._left -= amount
        return self._left >= 0


def budgets() -> dict[str, Budget]:
    """Return one client's budgets: far more than browsers use, in a burst or over time."""
    return {
        "resets": Budget(400, 5),
        "settings": Budget(1000, 10),
        "frames without content": Budget(5000, 200),
        "small pieces of content": Budget(45_000, 4000),
        "window updates": Budget(20_000, 4000),
    }
