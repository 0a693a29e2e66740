"""A route's `path`: a prefix of whole segments."""

import re
from urllib.parse import quote, unquote

from corsproxy.config.mistakes import BadValueError, checked

# RFC 3986, 3.3: the characters of a segment that need no percent-encoding, less those
# that other products' patterns are made of.
_PATH = re.compile(
    r"/|(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9\-._~!$&'()+,;=@][A-Za-z0-9\-._~!$&'()+,;=:@]*)+"
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_PATTERN = re.compile(r"[\^$\\{}]|\(\.|\)[?+]|/:")
_LONGEST = 1024


@checked
def parse_path(text: str) -> bytes:
    """Return a route's path: it starts with a slash and, but for "/" itself, ends without.

    Requests are matched byte by byte and never decoded, so a path holds only characters
    that every client sends as they are, and others beyond ASCII as browsers encode them: UTF-8,
    in upper-case hexadecimal (URL, "UTF-8 percent-encode"). Raises BadValueError.
    """
    letters = _NOT_ASCII.sub("x", text) if text.isprintable() else text
    if len(text) > _LONGEST or _PATTERN.search(text) or not _PATH.fullmatch(letters):
        message, help, likely = _explain(text)
        raise BadValueError("bad-path", message, help, likely)
    return _NOT_ASCII.sub(lambda found: quote(found[0]), text).encode("ascii")


def _explain(text: str) -> tuple[str, str, str | None]:
    """Return what is wrong with a text that is no path, what to do, and a likely path."""
    if len(text) > _LONGEST:
        return f"the path is longer than {_LONGEST} characters", "", None
    url = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*", text)
    if url is not None:
        help = "write the path alone; the host belongs to `upstream`"
        return "this must be a path, not a URL", help, text[url.end() :] or "/"
    if "*" in text:
        help = "a path takes everything below it: write it without the wildcard"
        return "paths have no wildcards", help, text.rstrip("*").rstrip("/") or "/"
    if _PATTERN.search(text) is not None:
        help = "a path is a prefix, and takes everything below it"
        return "paths are not patterns", help, None
    path = re.split(r"[?#]", text)[0]
    if path != text:
        return "a path has no query and no fragment", "end it before that", path
    if not text.startswith("/"):
        return "a path starts with a slash", "write it first", f"/{text}"
    if text.endswith("/"):
        help = "a path takes everything below it: remove the trailing slash"
        return "a path ends with a segment", help, text.rstrip("/") or "/"
    if "%" in text:
        help = "write the characters themselves: they are encoded as browsers do it"
        likely = None if "%2f" in text.lower() else unquote(text)
        return "percent-encoded paths are not matched", help, likely
    segments = text.split("/")
    if "." in segments or ".." in segments:
        return "a path has no dot segments", "write the path that they lead to", None
    if "" in segments[1:]:
        return "the path has an empty segment", "write single slashes", re.sub("/+", "/", text)
    message = "the path has a character that no client sends as it is"
    return message, "write letters, digits and `-._~!$&'()+,;=:@`", None
