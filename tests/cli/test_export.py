"""The allowlist as another proxy's configuration."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import environment, finished

GOOD = "upstream: http://127.0.0.1:9\ncors: {allow_origins: [https://app.example.com]}\n"
LOSSY = f"{GOOD}trusted_proxies: [10.0.0.0/8]\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "corsproxy.yaml").write_text(GOOD)
    (tmp_path / "lossy.yaml").write_text(LOSSY)
    (tmp_path / "bad.yaml").write_text(GOOD.replace("upstream", "upstrem"))
    return tmp_path


async def test_the_configuration_is_on_standard_output(directory: Path) -> None:
    code, out, err = await finished("export", "nginx", cwd=directory)
    assert code == 0
    assert "proxy_pass http://" in out
    assert all(line.startswith("always: ") for line in err.splitlines())


async def test_losses_are_on_standard_error_and_fail_with_strict(
    directory: Path,
) -> None:
    code, out, err = await finished("export", "nginx", "-c", "lossy.yaml", cwd=directory)
    assert code == 0
    assert err.startswith("lossy.yaml:3: trusted_proxies: ")
    assert f"#   {err.splitlines()[0]}" in out
    strict = await finished("export", "nginx", "-c", "lossy.yaml", "--strict", cwd=directory)
    assert strict == (1, out, err)
    assert (await finished("export", "nginx", "--strict", cwd=directory))[0] == 0


async def test_json_has_both(directory: Path) -> None:
    code, out, err = await finished(
        "export", "nginx", "--format", "json", "-c", "lossy.yaml", cwd=directory
    )
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["engine"] == "nginx"
    assert found["configuration"].startswith("# lossy.yaml for nginx")
    assert found["losses"][0]["line"] == 3
    assert found["always"]


async def test_a_refused_file_prints_the_output_of_check(directory: Path) -> None:
    code, out, err = await finished("export", "nginx", "-c", "bad.yaml", cwd=directory)
    assert (code, out) == (1, "")
    assert "--> bad.yaml:1:1" in err


async def test_a_generated_certificate_cannot_be_exported(directory: Path) -> None:
    (directory / "corsproxy.yaml").write_text(f"listen: https://localhost:8443\n{GOOD}")
    code, out, err = await finished("export", "nginx", cwd=directory)
    assert (code, out) == (1, "")
    assert "tls: {cert_file" in err


async def test_an_unknown_engine_is_a_usage_error(directory: Path) -> None:
    code, _, err = await finished("export", "apache", cwd=directory)
    assert code == 2
    assert "nginx" in err


async def test_a_file_refused_for_its_certificates_alone_exits_as_any_other(tmp_path: Path) -> None:
    text = (
        "cors: {allow_origins: [http://localhost:5173]}\n"
        "routes: [{path: /, upstream: 'https://a.test', tls: {ca_file: missing.pem}}]\n"
    )
    (tmp_path / "corsproxy.yaml").write_text(text)
    code, _, err = await finished("export", "nginx", cwd=tmp_path)
    assert code == 1
    assert "missing.pem" in err


def test_a_closed_standard_output_is_no_failure(directory: Path) -> None:
    command = shlex.join([sys.executable, "-m", "corsproxy", "export", "nginx"])
    ended = subprocess.run(
        ["sh", "-c", f"exec {command} >&-"],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False)
