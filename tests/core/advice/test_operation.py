"""core/advice/operation.py: what it says fits where it is shown."""

from corsproxy.core.advice import operation


def test_only_an_optional_listener_can_be_switched_off() -> None:
    assert operation.listen_elsewhere("-l", "localhost:8012") == "-l localhost:8012"
    elsewhere = operation.listen_elsewhere("--admin", "localhost:8013", can_be_off=True)
    assert elsewhere == "--admin localhost:8013 or --admin off"


def test_commands_name_what_they_are_about() -> None:
    assert operation.protect_key("/etc/key.pem") == "chmod 600 /etc/key.pem"
    assert "package zstandard" in operation.decoder("zstd", "zstandard")
