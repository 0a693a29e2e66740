"""`corsproxy trust`, on the stores of a temporary user."""

import ssl
import subprocess
from pathlib import Path
from shutil import which

import pytest

from tests.process import finished


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """Variables of a user who has certutil, and no way to the system's store."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in ("certutil", "mkdir"):
        found = which(program)
        assert found is not None
        (programs / program).symlink_to(found)
    home = tmp_path / "home"
    return {"HOME": str(home), "XDG_DATA_HOME": "", "CAROOT": "", "PATH": str(programs)}


@pytest.fixture(params=[".mozilla/firefox", ".config/mozilla/firefox"])
def profile(user: dict[str, str], request: pytest.FixtureRequest) -> str:
    """The directory of a Firefox profile, below the user's home."""
    found = f"{request.param}/abc.default-release"
    directory = Path(user["HOME"]) / found
    directory.mkdir(parents=True)
    subprocess.run(["certutil", "-d", f"sql:{directory}", "-N", "--empty-password"], check=True)
    return found


def trusted(user: dict[str, str], directory: str = ".pki/nssdb") -> str:
    """What a browser's store lists; Chromium's, where no other is named."""
    store = f"sql:{user['HOME']}/{directory}"
    return subprocess.run(
        ["certutil", "-L", "-d", store], capture_output=True, text=True, check=True
    ).stdout


async def test_it_is_installed_and_removed(user: dict[str, str], profile: str) -> None:
    for _ in range(2):
        code, out, err = await finished("trust", env=user)
        assert (code, err) == (0, "")
        assert out.index("certutil -d sql:") < out.index(": done")
        for store in (trusted(user), trusted(user, profile)):
            assert store.count("corsproxy on ") == 1
            assert "C,," in store
    for each, last in ((": done", "Restart the browsers"), (": not there", "Nothing to do")):
        code, out, _ = await finished("trust", "--remove", env=user)
        assert code == 0
        assert out.count(each) == 2
        assert last in out.splitlines()[-1]
        for store in (trusted(user), trusted(user, profile)):
            assert "corsproxy on " not in store


async def test_the_certificate_is_printed_and_nothing_else(user: dict[str, str]) -> None:
    code, out, err = await finished("trust", "--print", env=user)
    assert (code, err) == (0, "")
    assert out.startswith("-----BEGIN CERTIFICATE-----\n")
    ssl.PEM_cert_to_DER_cert(out)
    assert (await finished("trust", "--print", env=user))[1] == out
    assert not (Path(user["HOME"]) / ".pki").exists()


async def test_without_an_authority_nothing_is_removed(user: dict[str, str]) -> None:
    code, out, _ = await finished("trust", "--remove", env=user)
    assert (code, out) == (0, "There is no authority to remove.\n")
    assert not (Path(user["HOME"]) / ".local").exists()


async def test_an_unusable_mkcert_root_is_reported(user: dict[str, str]) -> None:
    caroot = Path(user["HOME"]) / "caroot"
    caroot.mkdir(parents=True)
    _, ours, _ = await finished("trust", "--print", env=user)
    (caroot / "rootCA.pem").write_text(ours)
    code, out, err = await finished("trust", "--print", env={**user, "CAROOT": str(caroot)})
    assert (code, out) == (0, ours)
    assert "there is no rootCA-key.pem" in err


async def test_a_missing_certutil_is_reported(user: dict[str, str]) -> None:
    code, out, _ = await finished("trust", env={**user, "PATH": ""})
    assert code == 1
    assert "libnss3-tools" in out


@pytest.fixture
def homeless(user: dict[str, str]) -> dict[str, str]:
    Path(user["HOME"]).write_text("a file")
    return user


async def test_a_directory_that_cannot_be_written_is_one_sentence(
    homeless: dict[str, str],
) -> None:
    code, _, err = await finished("trust", "--print", env=homeless)
    assert code == 3
    assert err.startswith("corsproxy: cannot write the local authority into")
