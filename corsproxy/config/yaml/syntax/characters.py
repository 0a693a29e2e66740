"""Characters that no allowlist file should hold, found before the parser trips over them."""

import re

from corsproxy.config.problems import Problem
from corsproxy.config.yaml.source_text import SourceText

# YAML 1.2, 5.1 (c-printable), less the line breaks that only YAML 1.1 knows, which
# would make every line number differ from the editor's.
_UNPRINTABLE = (
    r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_UNPRINTABLE_ASCII = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ZERO_WIDTH = "\u200b-\u200f\u2060"
_INVISIBLE = rf"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000{_ZERO_WIDTH}]"
# What came with one of them in front mostly has more of them, up to the line's end.
_INVISIBLE_INDENT = rf"(?m)^[ ]*({_INVISIBLE}(?:[^\r\n]*{_INVISIBLE})?)"
_DIRECTIVE = re.compile(r"(?m)^(%)(?!YAML[ \t]+1\.)[^\r\n]*")


def check_characters(source: SourceText) -> Problem | None:
    """Return the problem of the first character that should not be there."""
    indent = None
    # Only few files have a percent sign at all.
    directive = [_DIRECTIVE] if "%" in source.text else []
    patterns = [_UNPRINTABLE_ASCII, *directive]
    if not source.text.isascii():
        # Making these takes longer than reading most files.
        indent = re.compile(_INVISIBLE_INDENT)
        patterns = [re.compile(_UNPRINTABLE), indent, *directive]
    for pattern in patterns:
        found = pattern.search(source.text)
        if found is None:
            continue
        offset = found.start(pattern.groups)
        above = SourceText(source.name, source.text[:offset])
        line, column = len(above.lines), len(above.lines[-1]) + 1
        if pattern is _DIRECTIVE:
            message = "directives (lines that start with `%`) are not supported"
            return source.at("directive", line, column, len(found[0]), message, "remove the line")
        shown = f"U+{ord(source.text[offset]):04X}"
        if pattern is indent:
            message = f"an invisible character ({shown}) in the indentation"
            help = "write spaces; it may come from a web page"
            fix = re.sub(_INVISIBLE, " ", re.sub(f"[{_ZERO_WIDTH}]", "", found[1]))
            length = len(found[1])
            return source.at("invisible-indentation", line, column, length, message, help, fix)
        kind = "a NUL byte" if shown == "U+0000" else f"the unprintable character {shown}"
        message = f"the file contains {kind}"
        return source.at("unprintable-character", line, column, 1, message, "remove it", "")
    return None
