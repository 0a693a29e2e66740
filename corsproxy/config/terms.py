"""Entries of `allow_origins` with further terms, which were not written as the mapping that they
are: `http://a.test until: 2027-01-31`. Only asked about entries that are refused.
"""

import re

from corsproxy.config.dates import parse_day
from corsproxy.config.mistakes import BadValueError
from corsproxy.config.spelling import as_value
from corsproxy.core.origins import OriginPatternError, parse_origin_pattern

_NAME = r"(?:until|reason)"
_BEHIND = re.compile(rf"(\S+://\S*?)[\s,;]+({_NAME}\b.*)")
_TERM = re.compile(rf"({_NAME})\s*(?::\s+|\s)(.*)")
_NEXT = re.compile(rf"[\s,;]+(?={_NAME}:)")


def likely_origin(text: str) -> str | None:
    """Return `text` where it is an entry, or the entry that it was likely meant to be."""
    try:
        return parse_origin_pattern(text).text
    except OriginPatternError as error:
        return error.suggestion


def in_braces(origin: str, terms: str) -> str | None:
    """Return the entry that has an origin and `terms`, such as `until: 2027-01-31`; None where
    it would be refused."""
    likely = likely_origin(origin)
    if likely is None:
        return None
    entry = {"origin": as_value(likely)}
    for term in _NEXT.split(terms.strip()):
        found = _TERM.fullmatch(term)
        if found is None or found[1] in entry:
            return None
        value = found[2].strip().strip("\"'")
        entry[found[1]] = value if found[1] == "until" else as_value(value)
        if not value or (found[1] == "until" and not _is_day(value)):
            return None
    return f"{{{', '.join(f'{key}: {value}' for key, value in entry.items())}}}"


def entry_in(text: str) -> str | None:
    """Return the entry that a text with an origin and its terms was meant to be."""
    found = _BEHIND.fullmatch(text.strip())
    return found and in_braces(found[1], found[2])


def entry_of_pair(key: str, value: str | None) -> str | None:
    """Return the entry that a mapping with one key was meant to be: `http://a.test: 2027-01-31`,
    where `value` is None if it is not a text."""
    found = _BEHIND.fullmatch(f"{key}: {value or ''}")
    if found is not None:
        return in_braces(found[1], found[2])
    if value is not None and _is_day(value):
        return in_braces(key, f"until: {value}")
    likely = likely_origin(key)
    return None if likely is None else as_value(likely)


def _is_day(text: str) -> bool:
    try:
        return bool(parse_day(text))
    except BadValueError:
        return False
