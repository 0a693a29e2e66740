"""The edit that allows a call, whatever it lacks."""

import pytest

from corsproxy.config.editing.calls import allow_call
from corsproxy.config.editing.edits import File
from corsproxy.core.explain.explanation import explain
from corsproxy.core.page_call import PageCall

PAGE = "http://localhost:5173"
FILE = File(
    f"upstream: http://api.test\ncors:\n  allow_origins: [{PAGE}]\n".encode(),
    "corsproxy.yaml",
    {},
    "/",
)


@pytest.mark.parametrize(
    "call",
    [
        PageCall("https://new.example", "/"),
        PageCall(PAGE, "/", "PURGE", ("x-a", "x-b")),
        PageCall("https://new.example", "/", "PURGE", ("x-a",), True),
    ],
)
def test_after_the_edit_the_call_is_allowed(call: PageCall) -> None:
    way = allow_call(FILE, call)
    assert way is not None
    assert way.edit.before == FILE.content
    assert all(command.startswith("corsproxy allow ") for command in way.commands)
    after = FILE.having(way.edit.after).reading.policy
    assert explain(after, call).allowed


@pytest.mark.parametrize("call", [PageCall(PAGE, "/"), PageCall("null", "/")])
def test_an_allowed_call_has_no_edit(call: PageCall) -> None:
    assert allow_call(FILE, call) is None
