"""The judge of the reloads finds each kind of fault, and nothing else."""

import pytest

from programs.reloads.judge import Judge, Seen
from programs.reloads.versions import Marks, marks_of, names, page_of, text_of
from tests.fakes import Reply
from tests.policies import PAGE

BROKEN = 8


def judged(*exchanges: Seen) -> list[str]:
    judge = Judge()
    judge.broken.add(BROKEN)
    for seen in exchanges:
        judge.note(seen)
    return judge.faults


def actual(*marks: int) -> Marks:
    places = ("to the upstream", "to the client", "exposed")
    return Marks(dict(zip(places, marks, strict=True)))


def seen(marks: Marks, floor: int = 5, ceiling: int = 9, connection: int = 1) -> Seen:
    return Seen("actual", connection, floor, ceiling, marks)


def test_exchanges_that_follow_the_file_are_right() -> None:
    assert not judged(
        seen(actual(5, 5, 5)),
        seen(actual(6, 6, 6)),
        seen(actual(6, 6, 6)),
        seen(actual(9, 9, 9), connection=2),
        seen(actual(7, 7, 7)),
        Seen("own", 1, 9, 9, actual(9, 9, 9), own=9),
        Seen("own", 1, 9, 10, Marks({}, line=10), own=9),
    )


@pytest.mark.parametrize(
    ("exchanges", "fault"),
    [
        ([seen(actual(5, 6, 6))], "several versions"),
        ([seen(actual(6, 5, 6))], "several versions"),
        ([seen(actual(6, 6, 5))], "several versions"),
        ([seen(actual(4, 4, 4))], "not one of 5 to 9"),
        ([seen(actual(10, 10, 10))], "not one of 5 to 9"),
        ([seen(actual(BROKEN, BROKEN, BROKEN))], "broken"),
        ([seen(actual(7, 7, 7)), seen(actual(6, 6, 6))], "version 6 after version 7"),
        ([seen(Marks({}))], "shows no version"),
        ([Seen("own", 1, 5, 9, actual(6, 6, 6), own=7)], "version 6 let in the page of version 7"),
        ([Seen("own", 1, 7, 7, Marks({}, line=7), own=7)], "version 7 refused the page"),
        ([Seen("unlisted", 1, 7, 9, Marks({}, line=5))], "not one of 7 to 9"),
        ([Seen("slow", 1, 5, 9, failure="the connection was lost")], "connection was lost"),
    ],
)
def test_every_mistake_is_noticed(exchanges: list[Seen], fault: str) -> None:
    (found,) = judged(*exchanges)
    assert fault in found


def reply(status: int, content: bytes, **fields: str) -> Reply:
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    return Reply(status, lines, content)


def test_the_marks_of_a_reply_are_read() -> None:
    exposed = "x-version, x-v7"
    got = reply(200, b"5", X_Version="6", Access_Control_Expose_Headers=exposed)
    assert marks_of(got) == actual(5, 6, 7)
    preflight = reply(
        204,
        b"",
        Access_Control_Allow_Methods="GET, PUT, V5",
        Access_Control_Allow_Headers="content-type, x-v6",
        Access_Control_Max_Age="7",
    )
    assert marks_of(preflight).by_place == {"methods": 5, "headers": 6, "max age": 7}
    refused = reply(403, b"", Corsproxy_Reason="origin-not-allowed; at=corsproxy.yaml:9:18")
    assert marks_of(refused).within(50, 60) == {"line": 57}


@pytest.mark.parametrize(
    "got",
    [
        reply(200, b"5", X_Version="5"),
        reply(200, b"5", X_Version="5", Access_Control_Expose_Headers="x-version"),
        reply(204, b""),
        reply(403, b""),
        reply(502, b"", Corsproxy_Reason="upstream-unreachable"),
    ],
)
def test_a_reply_without_its_marks_is_a_fault(got: Reply) -> None:
    with pytest.raises(AssertionError):
        marks_of(got)


def test_a_version_names_itself() -> None:
    assert names(f"+ origin {page_of(17)} on every route", 17)
    assert names("unknown key v17", 17)
    assert not names(f"+ origin {page_of(170)}, - origin {page_of(1)}", 17)
    assert (
        text_of(53, 9, 2).splitlines()[4] == f"  allow_origins: [{PAGE}, 'https://v53.example.com']"
    )
