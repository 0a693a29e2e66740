"""Terminal colours: the escape sequences that this product writes."""

from enum import StrEnum


class Style(StrEnum):
    """Select Graphic Rendition parameters (ECMA-48, 8.3.117)."""

    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    CYAN = "36"


CLEAR_SCREEN = "\x1b[2J\x1b[3J\x1b[H"


def paint(text: str, *styles: Style, color: bool) -> str:
    """Return `text` in the styles; unchanged if `color` is off or the text is empty."""
    if not color or not text or not styles:
        return text
    return f"\x1b[{';'.join(styles)}m{text}\x1b[0m"
