"""Where a rule is written, so that every verdict can name the line that made it."""

import re
from typing import NamedTuple


class Source(NamedTuple):
    """A place in the allowlist file, or the flag or default that stands for one.

    `line` and `column` count from 1, columns in code points. Line 0 means that the
    rule is not in a file; `name` then says what made it ("--allow-origin", "default").
    """

    name: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line or self.name == ARGUMENTS:
            return self.name
        return f"{self.name}:{self.line}:{self.column}"

    @property
    def without_directory(self) -> "Source":
        """The place as clients may see it: without the file's directory."""
        name = re.split(r"[/\\]", self.name)[-1] if self.line else self.name
        return Source(name, self.line, self.column)


ARGUMENTS = "proxy_app"
"""Stands for a file where a program embeds the proxy and passes the rules as arguments."""

DEFAULT_FILE = "corsproxy.yaml"
"""The file that is read if none is named."""

DEFAULT = Source("default")
"""The source of a default rule."""
