"""`corsproxy test --live` against real engines: nothing is found in what was exported, and each
fault that is planted there is."""

import json
import re
from pathlib import Path

import pytest

from tests.export.running import ENGINES, free_port, running
from tests.export.upstream import serving
from tests.process import finished

CONFIG = """\
listen: 127.0.0.1:{port}
admin: off
upstream: http://127.0.0.1:{upstream}
cors:
  allow_origins:
    - https://app.example.com
    - https://pr-*.example.com
  allow_methods: [PUT]
"""
TESTS = """\
cases:
  - {origin: "https://app.example.com", request: [PUT /a, GET /a], expect: allowed}
  - {origin: "https://pr-7.example.com", request: DELETE /a, expect: method-not-allowed}
  - {origin: "https://evil.example", request: [GET /a, PUT /a], expect: refused}
"""
PROVED = ("nginx", "haproxy", "caddy", "envoy")

# By engine and fault: what is replaced, a regular expression, and by what.
FAULTS = {
    "haproxy: dots": (r"app\\\.example", "app.example"),
    "haproxy: no end": (r"(example\\\.com\)\))\$'", r"\1'"),
    "haproxy: case": (r"c1_origin var\(txn\.origin\) -m reg ", r"\g<0>-i "),
    "haproxy: everybody": (r"if is_c1 c1_origin has_origin", "if is_c1 has_origin"),
    "haproxy: no vary": (r"add-header Vary Origin", "add-header X-Vary Origin"),
    "haproxy: no grant": (r"set-header Access-Control-Allow-Origin", "set-header X-Origin"),
    "haproxy: a method": (r"Access-Control-Allow-Methods 'PUT'", "X-Methods 'PUT'"),
    "caddy: dots": (r"app\\\.example", "app.example"),
    "caddy: no end": (r"(example\\\.com\))\$", r"\1"),
    "caddy: everybody": (r"(example\\\.com\)\$` yes\n\s+)default no", r"\1default yes"),
    "nginx: dots": (r"app\\\\\.example", "app.example"),
    "nginx: no end": (r"(app\\\\\.example\\\\\.com\))\$", r"\1"),
}


async def found(
    engine: str, directory: Path, fault: tuple[str, str] | None
) -> tuple[int, list[dict[str, object]]]:
    """The exit code, and what is wrong with the engine's answers."""
    port = free_port()
    (directory / "corsproxy.test.yaml").write_text(TESTS)
    async with serving() as behind:
        text = CONFIG.format(port=port, upstream=behind)
        (directory / "corsproxy.yaml").write_text(text)
        exported_as = ENGINES[engine].exported_as
        code, configuration, err = await finished("export", exported_as, cwd=directory)
        assert code == 0, err
        if fault is not None:
            configuration, count = re.subn(*fault, configuration)
            assert count, configuration
        (directory / "engine").mkdir()
        async with running(engine, directory / "engine", configuration, port):
            arguments = ("test", "--format", "json", "--live", f"http://127.0.0.1:{port}")
            code, out, err = await finished(*arguments, cwd=directory)
    assert err == ""
    kinds = json.loads(out).values()
    return code, [each for kind in kinds for each in kind if not each.get("passed", False)]


@pytest.mark.parametrize("engine", PROVED)
async def test_an_export_passes(engine: str, tmp_path: Path) -> None:
    code, wrong = await found(engine, tmp_path, None)
    assert (code, wrong) == (0, [])


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_planted_fault_is_found(fault: str, tmp_path: Path) -> None:
    code, wrong = await found(fault.partition(":")[0], tmp_path, FAULTS[fault])
    assert code == 1
    assert wrong
