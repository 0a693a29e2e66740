import click
import pytest

from corsproxy.cli.inspecting import wants_inspector
from corsproxy.core.policy import ListenAddress, Policy
from tests.policies import policy

LOOPBACK = [ListenAddress(host, 8011) for host in ("localhost", "127.0.0.1", "::1")]
OTHERS = [ListenAddress("0.0.0.0", 8011), ListenAddress("10.0.0.1", 8011), None]


def wanted(by: Policy, flag: bool | None = None, *, tty: bool = True) -> bool:
    return wants_inspector(by, flag, at_terminal=tty)


@pytest.mark.parametrize("admin", LOOPBACK, ids=str)
def test_on_loopback_it_is_on_at_a_terminal_or_on_request(admin: ListenAddress) -> None:
    assert wanted(policy(admin=admin))
    assert not wanted(policy(admin=admin), tty=False)
    assert wanted(policy(admin=admin), True, tty=False)
    assert wanted(policy(admin=admin, inspector=True), tty=False)
    assert not wanted(policy(admin=admin, inspector=False))
    assert not wanted(policy(admin=admin, inspector=True), False)
    assert wanted(policy(admin=admin, inspector=False), True)


@pytest.mark.parametrize("admin", OTHERS, ids=str)
def test_elsewhere_it_is_off_or_refuses_to_start(admin: ListenAddress | None) -> None:
    assert not wanted(policy(admin=admin))
    assert not wanted(policy(admin=admin), False)
    with pytest.raises(click.UsageError, match="inspector"):
        wanted(policy(admin=admin), True)
    with pytest.raises(click.UsageError, match="inspector"):
        wanted(policy(admin=admin, inspector=True))
