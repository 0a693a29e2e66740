"""The lists of a file: which one decides for a route, and whether it stands there alone.

A route takes over each key of `cors` that it does not set. So one list decides for
several routes, and a change of it is a change for all of them.
"""

from collections.abc import Iterable
from typing import NamedTuple

from corsproxy.config.editing.splices import EditError
from corsproxy.config.spelling import shown
from corsproxy.config.yaml.document import Document
from corsproxy.config.yaml.nodes import Mapping, Node, Sequence
from corsproxy.core.advice.remedies import RemedyKey
from corsproxy.core.policy import CorsRules, Policy, Route


class Place(NamedTuple):
    """Where a value under a key of `cors` is written, or belongs."""

    holder: Mapping
    """The file's mapping or a route's: what has the `cors` mapping, or lacks it."""
    cors: Mapping | None
    node: Node | None
    """The list, or the one value that stands for it."""
    rules: CorsRules
    """The rules as they are, whatever they take over."""
    route: Route | None
    """Whose own the rules are to be; None: the default, for all that take it over."""
    untouched: tuple[str, ...] = ()
    """The names of routes that have a list of their own."""


class Allowlists:
    """The `cors` mappings of one file that can be served."""

    def __init__(self, document: Document, policy: Policy) -> None:
        self._document = document
        self._policy = policy
        self._default = value_of(document.root, "cors")
        source = document.source.source
        routes = value_of(document.root, "routes")
        items = routes.items if isinstance(routes, Sequence) else []
        self._items = {source(item): item for item in items if isinstance(item, Mapping)}

    def place(self, key: RemedyKey, route: str | None) -> Place:
        """Return where `key` belongs for the route of that name or path; without one,
        where most is decided: the list of the only route, or else the default.

        Raises EditError where there is no such place, or where what is written there
        is written for other places too.
        """
        found = self._place_by_default(key) if route is None else self._place_of_route(key, route)
        self._check_alone(found, key)
        return found

    def inherited(self, key: RemedyKey) -> Node | None:
        """Return the default list of the file; None where it has none."""
        return value_of(self._default, key) if isinstance(self._default, Mapping) else None

    def _place_by_default(self, key: RemedyKey) -> Place:
        deciding = [route for route in self._policy.routes if route.cors != "passthrough"]
        if not deciding:
            help = "remove `passthrough` to let corsproxy answer"
            raise EditError("the upstream answers CORS itself: `cors: passthrough`", help)
        owners = [route for route in deciding if self._owns(route, key)]
        if len(owners) < len(deciding):
            return self._default_place(key)._replace(untouched=_names(owners))
        if len(owners) == 1:
            return self._route_place(owners[0], key)
        names = ", ".join(_names(owners))
        raise EditError(f"each route has a list of its own: {names}", "name one with --route")

    def _place_of_route(self, key: RemedyKey, name: str) -> Place:
        route = self._route(name)
        if route.cors == "passthrough":
            message = f"the upstream of route {route.name} answers CORS itself"
            raise EditError(message, "remove `cors: passthrough` to let corsproxy answer")
        if route.source in self._items:
            return self._route_place(route, key)
        # The short form, which has no `cors` of its own.
        others = [
            other
            for other in self._policy.routes
            if other is not route and other.cors != "passthrough" and not self._owns(other, key)
        ]
        if others:
            message = f"`upstream` has no `cors` of its own: {', '.join(_names(others))} share it"
            raise EditError(message, "leave --route out to change the default of all of them")
        return self._default_place(key)

    def _route(self, name: str) -> Route:
        routes = self._policy.routes
        for route in routes:
            if route.name == name:
                return route
        for route in routes:
            if route.path.decode("ascii") == name:
                return route
        # Imported here, because most routes exist.
        from difflib import get_close_matches

        names = _names(routes)
        close = get_close_matches(name, names, n=1)
        help = f"did you mean {close[0]}?" if close else f"the routes are {', '.join(names[:20])}"
        raise EditError(f"no route is named {shown(name)}", help)

    def _owns(self, route: Route, key: RemedyKey) -> bool:
        """Whether what `route` says about `key` belongs into its own `cors`."""
        item = self._items.get(route.source)
        cors = None if item is None else value_of(item, "cors")
        if not isinstance(cors, Mapping):
            return False
        return value_of(cors, key) is not None or not isinstance(self._default, Mapping)

    def _default_place(self, key: RemedyKey) -> Place:
        root = self._document.root
        cors = self._default if isinstance(self._default, Mapping) else None
        return Place(root, cors, self.inherited(key), self._policy.default_cors, None)

    def _route_place(self, route: Route, key: RemedyKey) -> Place:
        item = self._items[route.source]
        cors = value_of(item, "cors")
        mapping = cors if isinstance(cors, Mapping) else None
        node = None if mapping is None else value_of(mapping, key)
        rules = self._policy.default_cors if route.cors == "passthrough" else route.cors
        return Place(item, mapping, node, rules, route)

    def _check_alone(self, place: Place, key: RemedyKey) -> None:
        """Refuse a place that an alias or a merge key makes stand in several."""
        root = self._document.root
        nodes = [place.holder, place.cors, place.node]
        if place.holder is not root:
            nodes.insert(0, value_of(root, "routes"))
        for node in nodes:
            if node is not None:
                check_alone(self._document, node)
        check_own(self._document, place.holder, "cors")
        if place.cors is not None:
            check_own(self._document, place.cors, key)


def value_of(mapping: Mapping, key: str) -> Node | None:
    """Return the value under `key`; None where the mapping has no such key."""
    return next((entry.value for entry in mapping.entries if entry.key.text == key), None)


def check_alone(document: Document, node: Node) -> None:
    """Raise EditError where an alias repeats `node`."""
    if node.anchor is not None and node.anchor in document.aliased:
        at = document.source.source(node)
        reason = f"it is written under the anchor `&{node.anchor}` ({at}) and repeated by an alias"
        help = "edit it there, which changes every place, or write it out where the alias is"
        raise EditError(reason, help)


def check_own(document: Document, mapping: Mapping, key: str) -> None:
    """Raise EditError where `key` comes into `mapping` through `<<`."""
    for entry in mapping.entries:
        if entry.key.text == key and entry.merged:
            at = document.source.source(entry.key)
            reason = f"`{key}` comes through `<<` from {at}"
            help = f"edit it there, which changes every place, or write `{key}` beside the `<<`"
            raise EditError(reason, help)


def _names(routes: Iterable[Route]) -> tuple[str, ...]:
    return tuple(route.name for route in routes)
