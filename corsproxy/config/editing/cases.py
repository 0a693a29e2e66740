"""Saving a call as a case of `corsproxy test`, with what is decided about it today."""

from collections.abc import Iterable

from corsproxy.config.editing.allowlists import value_of
from corsproxy.config.editing.layout import Layout
from corsproxy.config.editing.splices import EditError, spliced_bytes
from corsproxy.config.expectations import FILE_OF_EXPECTATIONS, Case, Result
from corsproxy.config.spelling import as_value
from corsproxy.config.yaml.document import read_document
from corsproxy.core.page_call import PageCall
from corsproxy.core.verdicts import Code


def case_text(call: PageCall, day: str | None, expected: Result | Code) -> str:
    """Return the call as an entry of `cases`, a mapping on one line."""
    pairs = {
        "origin": as_value(call.origin),
        "request": as_value(f"{call.normalized_method} {call.target}"),
    }
    if call.headers:
        pairs["headers"] = f"[{', '.join(map(as_value, call.headers))}]"
    if call.credentials:
        pairs["credentials"] = "true"
    if day is not None:
        pairs["at"] = day
    pairs["expect"] = str(expected)
    # References are filled in when the file is read.
    return "{" + ", ".join(f"{key}: {text.replace('$', '$$')}" for key, text in pairs.items()) + "}"


def known_case(cases: Iterable[Case], call: PageCall, day: str | None) -> Case | None:
    """Return the case that asks about the call already; None if there is none."""
    wanted = (_as_sent(call), day)
    return next((case for case in cases if (_as_sent(case.call), case.day) == wanted), None)


def _as_sent(call: PageCall) -> PageCall:
    return call._replace(
        method=call.normalized_method, headers=call.asked_headers, same_origin=False
    )


def new_file(config: str, case: str) -> bytes:
    """Return a file of expectations with one case; `config` is the allowlist, relative to it."""
    return f"config: {as_value(config)}\ncases:\n  - {case}\n".encode()


def with_case(content: bytes, name: str, case: str) -> bytes:
    """Return a file of expectations with one case more, at its end; nothing else changes.

    Raises ConfigError where it is not YAML, and EditError where it has no place for one.
    """
    document = read_document(content, name, needed=FILE_OF_EXPECTATIONS)
    layout = Layout(document)
    cases = value_of(document.root, "cases")
    if cases is None:
        raise EditError(f"{name} has no `cases`", "write `cases: []`")
    return spliced_bytes(content, layout.add_item(cases, case))
