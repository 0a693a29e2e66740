"""The commands that install an authority in the stores of each system."""

from pathlib import Path

import pytest

from corsproxy.shell.certificates.stores import Machine, Subject, plan

SUBJECT = Subject(Path("/data/rootCA.pem"), "corsproxy on box (1a2b3c)", "7f01")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Debian whose every program is there, and whose user is root."""
    (tmp_path / "usr/local/share/ca-certificates").mkdir(parents=True)
    return Machine(tmp_path / "home", str(tmp_path / "bin"), True, "linux", tmp_path)


def program(machine: Machine, *names: str) -> None:
    directory = Path(machine.path or "")
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / name).write_text("#!/bin/sh\n")
        (directory / name).chmod(0o755)


def database(machine: Machine, place: str) -> Path:
    directory = machine.home / place
    directory.mkdir(parents=True)
    (directory / "cert9.db").touch()
    return directory


def lines_of(machine: Machine, *, remove: bool = False) -> list[str]:
    found = plan(SUBJECT, machine, remove=remove)
    assert found.obstacles == ()
    return [line for step in found.steps for line in step.lines]


def test_linux_has_one_store_for_the_system_and_one_for_each_browser(machine: Machine) -> None:
    program(machine, "certutil", "update-ca-certificates")
    firefox = database(machine, ".mozilla/firefox/abc.default")
    nssdb, anchors = machine.home / ".pki/nssdb", machine.root / "usr/local/share/ca-certificates"
    trust = "-A -t C,, -n 'corsproxy on box (1a2b3c)' -i /data/rootCA.pem"
    assert lines_of(machine) == [
        f"mkdir -p {nssdb}",
        f"certutil -d sql:{nssdb} -N --empty-password",
        f"certutil -d sql:{nssdb} {trust}",
        f"certutil -d sql:{firefox} {trust}",
        f"cp /data/rootCA.pem {anchors}/corsproxy.crt",
        "update-ca-certificates",
    ]


def test_an_installed_authority_can_be_removed(machine: Machine) -> None:
    program(machine, "certutil", "update-ca-certificates")
    nssdb = database(machine, ".pki/nssdb")
    file = machine.root / "usr/local/share/ca-certificates/corsproxy.crt"
    file.touch()
    assert lines_of(machine, remove=True) == [
        f"certutil -d sql:{nssdb} -D -n 'corsproxy on box (1a2b3c)'",
        f"rm -f {file}",
        "update-ca-certificates --fresh",
    ]
    file.unlink()
    assert len(lines_of(machine, remove=True)) == 1


def test_users_other_than_root_need_sudo(machine: Machine) -> None:
    program(machine, "certutil", "update-ca-certificates")
    user = machine._replace(is_root=False)
    assert "as root" in plan(SUBJECT, user).obstacles[0]
    program(machine, "sudo")
    assert "sudo update-ca-certificates" in lines_of(user)


def test_without_certutil_it_says_what_to_install(machine: Machine) -> None:
    assert "libnss3-tools" in plan(SUBJECT, machine).obstacles[0]


def test_macos_and_windows_have_commands_of_their_own(machine: Machine) -> None:
    macos, windows = machine._replace(platform="darwin"), machine._replace(platform="win32")
    keychain = machine.home / "Library/Keychains/login.keychain-db"
    assert lines_of(macos) == [
        f"security add-trusted-cert -r trustRoot -k {keychain} /data/rootCA.pem"
    ]
    assert lines_of(macos, remove=True) == [
        f"security delete-certificate -t -c 'corsproxy on box (1a2b3c)' {keychain}"
    ]
    assert lines_of(windows) == ["certutil -user -addstore Root /data/rootCA.pem"]
    assert lines_of(windows, remove=True) == ["certutil -user -delstore Root 7f01"]
