"""One command without a file, one key with it."""

import pytest

from corsproxy.config.reader import read_policy
from corsproxy.config.without_file import Quick, quick_policy
from corsproxy.core.advice.settings import is_quick, place_of, setting

QUICK = quick_policy(Quick("3000"))
FILE = read_policy("upstream: http://localhost:3000\n", "corsproxy.yaml", {}, "/").policy


@pytest.mark.parametrize(
    ("wanted", "command", "key"),
    [
        ({"preserve_host": True}, "http://localhost:3000 --preserve-host", "preserve_host: true"),
        ({"origin": "remove"}, "http://localhost:3000 --origin remove", "origin: remove"),
        ({"https": True}, "http://localhost:3000 --https", "listen: https://localhost:8010"),
        ({"upstream": "https://a.test"}, "https://a.test", "upstream: https://a.test"),
        ({"header": ("X-A", "1")}, "http://localhost:3000 --header 'X-A: 1'", '{X-A: "1"}'),
    ],
)
def test_each_has_a_flag_and_a_key(wanted: dict[str, object], command: str, key: str) -> None:
    assert setting(QUICK, QUICK.routes[0], **wanted) == f"start it with: corsproxy {command}"  # type: ignore[arg-type]
    assert key in setting(FILE, FILE.routes[0], **wanted)  # type: ignore[arg-type]


def test_where_a_key_is_written() -> None:
    assert (is_quick(QUICK), is_quick(FILE)) == (True, False)
    assert place_of(QUICK, QUICK.routes[0]) is None
    assert place_of(FILE, FILE.routes[0]) == "on the route at corsproxy.yaml:1:11"
