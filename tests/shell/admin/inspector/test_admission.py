import pytest
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from corsproxy.shell.admin.inspector.admission import COOKIE_PREFIX, Admission, new_token

TOKEN = "t0ken"
COOKIE = f"{COOKIE_PREFIX}8011={TOKEN}"


@pytest.fixture
def admission() -> Admission:
    return Admission(TOKEN, 8011)


def headers(**changes: str | None) -> CIMultiDictProxy[str]:
    """What the page's own POST has, with changes; None leaves a field out."""
    fields = {
        "Host": "localhost:8011",
        "Cookie": COOKIE,
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/json",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    kept = [(name, value) for name, value in fields.items() if value is not None]
    return CIMultiDictProxy(CIMultiDict(kept))


@pytest.mark.parametrize(
    "host", ["localhost:8011", "127.0.0.1:8011", "[::1]:8011", "LOCALHOST:8011"]
)
def test_the_page_may_read_and_write(admission: Admission, host: str) -> None:
    admission.check_read(headers(Host=host))
    admission.check_write(headers(Host=host))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Host": "evil.example:8011"}, 421),
        ({"Host": "localhost.evil.example:8011"}, 421),
        ({"Host": "localhost:8010"}, 421),
        ({"Host": "app.localhost:8011"}, 421),
        ({"Host": "localhost"}, 421),
        ({"Host": None}, 421),
        ({"Cookie": None}, 401),
        ({"Cookie": f"{COOKIE_PREFIX}8011=wrong"}, 401),
        ({"Cookie": f"{COOKIE_PREFIX}8012={TOKEN}"}, 401),
        ({"Cookie": f"other={TOKEN}"}, 401),
        ({"Cookie": f"{COOKIE_PREFIX}8011=é"}, 401),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "none"}, 403),
    ],
)
def test_other_callers_are_refused(
    admission: Admission, changes: dict[str, str | None], status: int
) -> None:
    for check in (admission.check_read, admission.check_write):
        with pytest.raises(web.HTTPException) as refused:
            check(headers(**changes))
        assert refused.value.status == status
        assert refused.value.headers["Cache-Control"] == "no-store"
        assert not [name for name in refused.value.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Sec_Fetch_Site": None}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": None}, 415),
    ],
)
def test_writing_has_stricter_checks(
    admission: Admission, changes: dict[str, str | None], status: int
) -> None:
    with pytest.raises(web.HTTPException) as refused:
        admission.check_write(headers(**changes))
    assert refused.value.status == status


def test_a_browser_that_does_not_say_who_asks_may_read(admission: Admission) -> None:
    admission.check_read(headers(Sec_Fetch_Site=None))


@pytest.mark.parametrize(
    "cookie",
    [
        f"{COOKIE_PREFIX}8011=stale; {COOKIE}",
        f"{COOKIE}; {COOKIE_PREFIX}8011=tossed",
        f"a=b; c; {COOKIE_PREFIX}8012=other; {COOKIE}; d=e",
    ],
)
def test_a_stale_or_foreign_cookie_locks_nobody_out(admission: Admission, cookie: str) -> None:
    admission.check_write(headers(Cookie=cookie))


def test_the_cookie_is_for_no_script_and_no_other_site(admission: Admission) -> None:
    assert admission.set_cookie() == f"{COOKIE}; Path=/; HttpOnly; SameSite=Strict"


def test_tokens_cannot_be_guessed() -> None:
    assert len({new_token() for _ in range(10)}) == 10
    assert len(new_token()) >= 32
