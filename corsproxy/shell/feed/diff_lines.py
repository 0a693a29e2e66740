"""A diff for people: coloured if wanted, and safe for a terminal."""

from collections.abc import Iterator

from corsproxy.config.editing.diffs import diff
from corsproxy.config.problems import escape
from corsproxy.shell.feed.ansi import Style, paint

_STYLES = {"-": Style.RED, "+": Style.GREEN, "@": Style.CYAN}


def diff_lines(name: str, before: bytes, after: bytes, *, color: bool) -> Iterator[str]:
    """Yield what changed in the file, as the lines of a unified diff without line feeds.

    Tabs are kept. A carriage return at a line's end is dropped: the terminal would act on it.
    """
    for line in diff(name, before, after):
        shown = "\t".join(map(escape, line.removesuffix("\r").split("\t")))
        header = line.startswith(("--- ", "+++ "))
        style = Style.BOLD if header else _STYLES.get(line[:1])
        styles = [] if style is None else [style]
        yield paint(shown, *styles, color=color)
