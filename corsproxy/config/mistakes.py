"""A text that has no meaning where it stands, before its place is known."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

_Value = TypeVar("_Value")
_Terms = ParamSpec("_Terms")


class BadValueError(ValueError):
    """Why a text cannot be used. Raised by the parsers of single values.

    `code` is the problem's code. `message` says the cause, `help` the remedy.
    `suggestion` is a text that would be accepted in place of the whole, `part` the part
    of the text that is wrong, as written; each where there is one.
    """

    def __init__(
        self,
        code: str,
        message: str,
        help: str = "",
        suggestion: str | None = None,
        part: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help
        self.suggestion = suggestion
        self.part = part


def checked(
    parse: Callable[Concatenate[str, _Terms], _Value],
) -> Callable[Concatenate[str, _Terms], _Value]:
    """Decorate a parser: where it refuses a text, its suggestion is one that it takes."""

    @wraps(parse)
    def checked_parse(text: str, /, *args: _Terms.args, **kwargs: _Terms.kwargs) -> _Value:
        try:
            return parse(text, *args, **kwargs)
        except BadValueError as mistake:
            if mistake.suggestion is not None:
                try:
                    parse(mistake.suggestion, *args, **kwargs)
                except BadValueError:
                    mistake.suggestion = None
            raise

    return checked_parse
