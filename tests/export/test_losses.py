"""Losses and where they stand."""

from corsproxy.core.source import Source
from corsproxy.export.losses import Loss, Places, in_order
from tests.policies import route


def test_a_loss_names_its_line() -> None:
    assert str(Loss(Source("a.yaml", 3, 5), "gone")) == "a.yaml:3: gone"


def test_losses_come_once_in_the_order_of_the_file() -> None:
    first, second = Loss(Source("a", 2, 1), "x"), Loss(Source("a", 10, 1), "y")
    assert in_order([second, first, second]) == (first, second)


def test_a_key_of_a_route_is_found_by_the_routes_place() -> None:
    at, tls = Source("a", 4, 5), Source("a", 6, 9)
    places = Places("a", {"routes[0]": Source("a", 2, 5), "routes[1]": at, "routes[1].tls": tls})
    way = route(b"/", source=at)
    assert places.in_route(way, "tls") == tls
    assert places.in_route(way, "cors") == at
    assert places.of("limits") == Source("a", 1, 1)
    assert places.has("routes[1].tls")
