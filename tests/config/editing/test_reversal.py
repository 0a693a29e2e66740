"""Taking an edit back out of a file that others have edited since."""

import pytest

from corsproxy.config.editing.edits import File, allow
from corsproxy.config.editing.reversal import take_back
from corsproxy.config.editing.splices import EditError
from corsproxy.config.problems import ConfigError
from corsproxy.core.advice.remedies import RemedyKey
from tests.config.layouts import GRID

BEFORE = """\
upstream: http://api.test
cors:
  allow_origins:
    - http://localhost:5173  # the app
  allow_methods: [GET, POST]
"""
NEW = "http://localhost:3000"


def file(text: str) -> File:
    return File(text.encode(), "corsproxy.yaml", {}, "/")


def taken_back(before: str, after: str, now: str) -> str:
    return take_back(file(now), before.encode(), after.encode(), "x").after.decode()


EDITS: dict[str, tuple[RemedyKey, str]] = {
    "origin": ("allow_origins", NEW),
    "method": ("allow_methods", "DELETE"),
    "new list": ("allow_headers", "x-new"),
    "credentials": ("allow_credentials", "true"),
    "host": ("allowed_hosts", "api.test"),
}

# What others do to the file meanwhile, as replacements.
MEANWHILE = {
    "nothing": ("", ""),
    "a comment on top": ("upstream: http", "# mine\nupstream: http"),
    "another line's end": ("  # the app", "  # my app"),
    "a method before": ("[GET,", "[PUT, GET,"),
    "a method instead": ("POST", "PATCH"),
    "an origin before": ("    - http://l", "    - https://a.example\n    - http://l"),
    "the upstream": ("api.test\ncors", "other.test\ncors"),
    "another key": ("  allow_methods", "  max_age: 60\n  allow_methods"),
}


@pytest.mark.parametrize("meanwhile", MEANWHILE.values(), ids=MEANWHILE)
@pytest.mark.parametrize(("key", "value"), EDITS.values(), ids=EDITS)
def test_what_others_wrote_stays(key: RemedyKey, value: str, meanwhile: tuple[str, str]) -> None:
    old, new = meanwhile
    after = allow(file(BEFORE), key, value).after.decode()
    assert taken_back(BEFORE, after, after.replace(old, new, 1)) == BEFORE.replace(old, new, 1)


def test_in_every_layout() -> None:
    for layout in GRID:
        before = layout.file(["http://localhost:5173"])
        edit = allow(File(before, "corsproxy.yaml", {}, "/"), "allow_origins", NEW)
        now = File(edit.after.replace(b"The API", b"Our API"), "corsproxy.yaml", {}, "/")
        found = take_back(now, before, edit.after, edit.summary).after
        assert found == before.replace(b"The API", b"Our API"), layout


AFTER = allow(file(BEFORE), "allow_methods", "DELETE").after.decode()


@pytest.mark.parametrize(
    "now",
    [
        "[GET, POST, DELETE, PUT]",
        "[GET, DELETE, POST, PUT]",
        "[DELETE, GET, POST, PUT]",
        "[GET, POST, PUT, DELETE]",
    ],
)
def test_an_entry_at_another_place_of_its_list(now: str) -> None:
    found = taken_back(BEFORE, AFTER, AFTER.replace("[GET, POST, DELETE]", now))
    assert found == BEFORE.replace("POST]", "POST, PUT]")


def test_what_is_left_of_two_entries() -> None:
    after = allow(file(AFTER), "allow_origins", NEW).after.decode()
    now = after.replace(", DELETE", "")
    assert taken_back(BEFORE, after, now) == BEFORE


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (BEFORE, "edited or removed since"),
        (AFTER.replace("[GET, POST, DELETE]", "[DELETE]"), "have been edited or"),
        (AFTER.replace("[GET, POST, DELETE]", "\n    - GET\n    - DELETE"), "edited or removed"),
        (AFTER.replace("DELETE]", "DELETE  # why\n    ]"), None),
    ],
    ids=["removed", "first now", "another style", "a comment behind"],
)
def test_what_has_been_changed_is_left_as_it_is(now: str, told: str | None) -> None:
    if told is None:
        assert taken_back(BEFORE, AFTER, now) == now.replace(", DELETE", "")
        return
    with pytest.raises(EditError, match=told):
        taken_back(BEFORE, AFTER, now)


def test_a_commented_entry_is_not_joined_with_the_next() -> None:
    after = allow(file(BEFORE), "allow_origins", NEW).after.decode()
    now = after.replace(f"    - {NEW}\n", f"#    - {NEW}\n    - https://a.example\n")
    with pytest.raises(EditError, match="edited or removed since"):
        taken_back(BEFORE, after, now)


def test_a_list_that_others_have_continued() -> None:
    before = "upstream: http://api.test\n"
    after = allow(file(before), "allow_origins", NEW).after.decode()
    with pytest.raises(EditError, match="without it the file would be refused") as caught:
        taken_back(before, after, after + "  allow_methods: [PUT]\n")
    assert caught.value.problems


def test_a_broken_file() -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        taken_back(BEFORE, AFTER, AFTER + "nonsense: 1\n")
