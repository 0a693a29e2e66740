"""Draws structured inputs from a fuzzer's bytes.

Every byte string is a valid input, and a small change of it is a small change of what is drawn.
This lets a fuzzer make progress.
"""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Consumes an input from its start; when it is used up, everything drawn is zero."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Whether any input is left."""
        return self._at < len(self._data)

    def number(self, most: int = 255) -> int:
        """Return a number from 0 to `most`, which is at most 255."""
        if not self:
            return 0
        self._at += 1
        return self._data[self._at - 1] % (most + 1)

    def flag(self) -> bool:
        return self.number(1) == 1

    def pick(self, options: Sequence[T]) -> T:
        """Return one of at most 256 options."""
        return options[self.number(len(options) - 1)]

    def string(self) -> bytes:
        """Return up to 255 arbitrary bytes."""
        length = self.number()
        self._at += length
        return self._data[self._at - length : self._at]

    def word(self, words: Sequence[bytes]) -> bytes:
        """Return one of the words, a combination of two of them, or arbitrary bytes."""
        match self.number(7):
            case 0:
                return self.string()
            case 1:
                return self.pick(words) + self.string()
            case 2:
                return self.string() + self.pick(words)
            case 3:
                return self.pick(words) + self.pick(words)
            case _:
                return self.pick(words)

    def rest(self) -> bytes:
        """Return the rest of the input."""
        rest = self._data[self._at :]
        self._at = len(self._data)
        return rest
