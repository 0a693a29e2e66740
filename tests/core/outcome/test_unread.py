"""Which response headers a page misses."""

from corsproxy.core.messages import Field
from corsproxy.core.outcome.call import Call, Mode
from corsproxy.core.outcome.unread import unread_headers

CALL = Call(Mode.CORS, b"http://localhost:8010", origin=b"http://localhost:5173")
WITH_COOKIE = Call(Mode.CORS, b"http://localhost:8010", origin=b"http://localhost:5173",
                   credentials=True)  # fmt: skip
FIELDS: list[Field] = [
    (b"Content-Type", b"a/b"),
    (b"ETag", b"1"),
    (b"X-Total-Count", b"7"),
    (b"Set-Cookie", b"a=b"),
    (b"Date", b"now"),
    (b"Access-Control-Allow-Origin", b"*"),
]
EXPOSE = b"Access-Control-Expose-Headers"


def test_what_is_neither_exposed_nor_of_no_use_to_a_script() -> None:
    assert unread_headers(CALL, FIELDS) == ("etag", "x-total-count")
    assert unread_headers(CALL, [*FIELDS, (EXPOSE, b"etag,X-TOTAL-COUNT")]) == ()


def test_the_wildcard_means_all_but_for_credentials() -> None:
    fields = [*FIELDS, (EXPOSE, b"*")]
    assert unread_headers(CALL, fields) == ()
    assert unread_headers(WITH_COOKIE, fields) == ("etag", "x-total-count")


def test_a_page_that_reads_nothing_misses_nothing() -> None:
    assert unread_headers(Call(Mode.NO_CORS, b"http://localhost:8010"), FIELDS) == ()
