"""Checking expectations against the file and against a running deployment."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser import servers
from tests.process import FREE_PORTS, finished, started

PAGE = "https://app.example.com"
CONFIG = f"""\
upstream: http://127.0.0.1:1
cors:
  allow_origins:
    - {PAGE}
    - {{origin: https://pr-7.example.com, until: 2099-12-31}}
  allow_methods: [PUT]
"""
TESTS = f"""\
config: corsproxy.yaml
cases:
  - name: the app may save
    origin: {PAGE}
    request: [PUT /v1/users, GET /v1/users]
    expect: allowed
  - origin: https://evil.example
    request: GET /v1/users
    expect: {{code: origin-not-allowed, at: corsproxy.yaml:4}}
  - origin: https://pr-7.example.com
    request: GET /
    at: 2100-01-01
    expect: origin-expired
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "corsproxy.yaml").write_text(CONFIG)
    (tmp_path / "corsproxy.test.yaml").write_text(TESTS)
    return tmp_path


async def test_all_is_as_expected(directory: Path) -> None:
    code, out, err = await finished("test", cwd=directory)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == f"✓ the app may save (PUT /v1/users from {PAGE})"
    assert out.splitlines()[-1] == "4 of 4 as expected, 16 of 16 look-alikes refused"


async def test_a_failing_case_prints_its_explanation(directory: Path) -> None:
    (directory / "corsproxy.yaml").write_text(CONFIG.replace("[PUT]", "[PATCH]"))
    code, out, _ = await finished("test", cwd=directory)
    assert code == 1
    words = "expected allowed, got method-not-allowed at corsproxy.yaml:6:18"
    assert f"corsproxy.test.yaml:3: {words}" in out
    assert "✗ method PUT: not in allow_methods [PATCH]  (corsproxy.yaml:6:18)" in out


async def test_json_has_every_case_and_every_look_alike(directory: Path) -> None:
    code, out, _ = await finished("test", "--format", "json", cwd=directory)
    found = json.loads(out)
    assert code == 0
    assert found["cases"][0] == {
        "name": "the app may save",
        "file": "corsproxy.test.yaml",
        "line": 3,
        "origin": PAGE,
        "request": "PUT /v1/users",
        "expected": "allowed",
        "got": "origin-allowed",
        "at": "corsproxy.yaml:4:7",
        "passed": True,
    }
    assert found["look_alikes"][0] == {
        "entry": PAGE,
        "at": "corsproxy.yaml:4:7",
        "kind": "suffix",
        "origin": f"{PAGE}.evil.example",
        "passed": True,
    }


async def test_reports_for_programs_name_what_failed(directory: Path) -> None:
    (directory / "corsproxy.yaml").write_text(CONFIG.replace("[PUT]", "[PATCH]"))
    code, out, _ = await finished("test", "--format", "github", cwd=directory)
    assert code == 1
    assert out.startswith("::error file=corsproxy.test.yaml,line=3,col=5,")
    code, out, _ = await finished("test", "--format", "junit", cwd=directory)
    suite = ET.fromstring(out)
    assert (code, suite.attrib["failures"], suite.attrib["tests"]) == (1, "1", "20")
    [failure] = suite.iter("failure")
    words = "expected allowed, got method-not-allowed at corsproxy.yaml:6:18"
    assert failure.attrib["message"] == words


async def test_a_broken_file_is_annotated_too(directory: Path) -> None:
    (directory / "corsproxy.test.yaml").write_text("config: corsproxy.yaml\ncases: 5\n")
    code, out, err = await finished("test", "--format", "github", cwd=directory)
    assert (code, err) == (2, "corsproxy: corsproxy.test.yaml is refused: 1 error\n")
    assert out.startswith("::error file=corsproxy.test.yaml,line=2,col=8,")


async def test_cases_of_one_entry_and_places_are_told_apart(directory: Path) -> None:
    (directory / "corsproxy.yaml").write_text(f"{CONFIG}  allow_credentials: true\n")
    case = f"{{origin: {PAGE}, request: GET /, headers: [[x-a], [x-b]], credentials: true"
    case += ", at: 2099-01-01, expect: {code: header-not-allowed, at: corsproxy.yaml:99}}"
    (directory / "corsproxy.test.yaml").write_text(f"config: corsproxy.yaml\ncases: [{case}]\n")
    for form in ("text", "github", "junit"):
        code, out, _ = await finished("test", "--format", form, cwd=directory)
        assert code == 1
        for name in ("x-a", "x-b"):
            assert f"GET / from {PAGE} with {name}, credentials on 2099-01-01" in out
        words = "expected header-not-allowed at corsproxy.yaml:99, got header-not-allowed at"
        assert re.search(rf"{words} corsproxy\.yaml:\d+:\d+", out)


async def test_the_file_is_found_from_the_directory_of_its_tests(directory: Path) -> None:
    (directory / "policy").mkdir()
    (directory / "corsproxy.yaml").rename(directory / "policy" / "corsproxy.yaml")
    tests = TESTS.replace("config: corsproxy.yaml", "config: ../policy/corsproxy.yaml")
    (directory / "tests").mkdir()
    (directory / "tests" / "a.test.yaml").write_text(tests)
    code, out, _ = await finished("test", "tests/a.test.yaml", cwd=directory)
    assert code == 0, out


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        ("cases: [{origin: x}]", "corsproxy.test.yaml:1:9"),
        ("config: other.yaml\ncases: []", "cannot read other.yaml"),
        ("cases: [", "corsproxy.test.yaml"),
        (f"cases: [{{origin: {PAGE}, request: [], expect: allowed}}]", "corsproxy.test.yaml:1:52"),
        (f"cases: [{{origin: {PAGE}, request: GETX, expect: allowed}}]", "write `METHOD /path`"),
        (None, "there is no corsproxy.test.yaml in this directory"),
    ],
)
async def test_an_unusable_test_file_is_a_usage_error(
    directory: Path, tests: str | None, words: str
) -> None:
    file = directory / "corsproxy.test.yaml"
    file.unlink() if tests is None else file.write_text(tests)
    code, _, err = await finished("test", cwd=directory)
    assert code == 2
    assert words in err
    assert "Traceback" not in err


async def test_one_unusable_file_hides_no_other(directory: Path) -> None:
    (directory / "a.yaml").write_text("cases: [")
    code, out, err = await finished(
        "test", "a.yaml", "b.yaml", "corsproxy.test.yaml", cwd=directory
    )
    assert code == 2
    assert "a.yaml is refused" in err
    assert "cannot read b.yaml" in err
    assert out.endswith("4 of 4 as expected, 16 of 16 look-alikes refused\n")


# A running deployment.


async def test_this_proxy_passes_its_own_test(directory: Path) -> None:
    async with started(*FREE_PORTS, cwd=directory) as command:
        ready = await command.event("ready")
        code, out, err = await finished("test", "--live", ready["listen"][0], cwd=directory)
    assert (code, err) == (0, ""), out
    assert out.splitlines()[-1] == "4 of 4 as expected, 16 of 16 look-alikes refused"


async def test_an_unreachable_deployment_is_exit_code_3(directory: Path) -> None:
    code, _, err = await finished("test", "--live", "http://127.0.0.1:1", cwd=directory)
    assert code == 3
    assert "cannot ask http://127.0.0.1:1" in err


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("api.example.com", "write a URL: https://api.example.com\n"),
        ("//api.example.com", "write a URL: https://api.example.com\n"),
        ("localhost:8010", "write a URL: http://localhost:8010\n"),
        ("ftp://x", "write a URL that begins with https:// or http://\n"),
        ("https://x:0x", "this is not a valid port"),
        ("http://", "the host is missing"),
    ],
)
async def test_a_deployment_is_named_by_its_url(directory: Path, url: str, words: str) -> None:
    code, _, err = await finished("test", "--live", url, cwd=directory)
    assert (code, words in err) == (2, True), err


RIGHT = r"""
map $http_origin $allowed {
  default "";
  "~^https://(app|pr-7)\.example\.com$" $http_origin;
}
server {
  listen 127.0.0.1:{port};
  location / {
    if ($request_method = OPTIONS) { return 418; }
    error_page 418 = @preflight;
    add_header Access-Control-Allow-Origin $allowed always;
    add_header Vary Origin always;
    return 200 "{}";
  }
  location ~ -test-of-an-error$ {
    add_header Access-Control-Allow-Origin $allowed always;
    add_header Vary Origin always;
    return 404;
  }
  location @preflight {
    add_header Access-Control-Allow-Origin $allowed always;
    add_header Access-Control-Allow-Methods PUT always;
    return 204;
  }
}
"""


def replaced(old: str, new: str) -> Callable[[str], str]:
    def planted(configuration: str) -> str:
        assert old in configuration
        return configuration.replace(old, new)

    return planted


FAULTS = {
    "everybody": replaced("Origin $allowed always", "Origin $http_origin always"),
    "dots": replaced(r"\.", "."),
    "no end": replaced('com$"', 'com"'),
    "no start": replaced("~^https://(", "~("),
    "any scheme": replaced("^https:", "^https?:"),
    "any port": replaced('com$"', 'com(:[0-9]+)?$"'),
    "case": replaced('"~^', '"~*^'),
    "null": replaced('default "";', 'default ""; "null" "null";'),
    "no vary": replaced("add_header Vary Origin always;", ""),
    "errors without a grant": replaced(" always", ""),
    "preflights forwarded": replaced("if ($request_method = OPTIONS) { return 418; }", ""),
    "a method too few": replaced("Allow-Methods PUT", "Allow-Methods PATCH"),
    "a page too few": replaced("(app|pr-7)", "(pr-7)"),
    "two grants": replaced(
        "add_header Vary Origin always;\n    return 200",
        "add_header Access-Control-Allow-Origin * always;\n    return 200",
    ),
}


async def live(
    directory: Path, configuration: str
) -> tuple[int, dict[str, list[dict[str, object]]]]:
    async with servers.nginx(directory, configuration) as url:
        code, out, err = await finished("test", "--format", "json", "--live", url, cwd=directory)
    assert err == ""
    return code, json.loads(out)


async def test_one_finding_is_one(directory: Path) -> None:
    (directory / "corsproxy.test.yaml").write_text("config: corsproxy.yaml\ncases: []\n")
    async with servers.nginx(directory, FAULTS["errors without a grant"](RIGHT)) as url:
        code, out, _ = await finished("test", "--live", url, cwd=directory)
    assert (code, out.splitlines()[-1]) == (
        1,
        "0 of 0 as expected, 16 of 16 look-alikes refused, 1 other finding",
    )


async def test_a_correct_nginx_passes(directory: Path) -> None:
    code, found = await live(directory, RIGHT)
    assert code == 0, found


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_another_server_is_found(directory: Path, fault: str) -> None:
    code, found = await live(directory, FAULTS[fault](RIGHT))
    wrong = [each for kind in found.values() for each in kind if not each.get("passed", False)]
    assert code == 1
    assert wrong
