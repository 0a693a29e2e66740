"""What pages do through a proxy whose allowlist is too narrow for it: clients in many settings."""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

PAGE = "http://localhost:{page}"
OTHER = "http://localhost:{other}"
ADDRESS = "http://127.0.0.1:{page}"
SHOP = "https://shop.example.test"
"""A page beyond this machine."""

# The allowlists to begin with; {upstream} is the API, {page} and {other} are the ports of pages.
STRANGER = """\
# The API of the shop.
upstream: {upstream}
cors:
  allow_origins:
    - https://app.example.com  # the shop
"""
NARROW = f"""{STRANGER}\
  allow_methods: [GET]
  allow_headers: [x-app]
"""
LISTED = """\
upstream: {upstream}
cors:
  allow_origins: ['http://localhost:{page}']
"""
TIGHT = f"""{LISTED}\
  allow_methods: [GET]   # no more than reading
  allow_headers: [x-app]
"""
SIGNED = """\
cors:
  allow_origins: [https://app.example.com]
  expose_headers: [etag]
routes:
  - {{path: /, upstream: "{upstream}", preserve_host: true}}
"""
WITHOUT_ORIGIN = """\
cors:
  allow_origins: [https://app.example.com]
  allow_headers: []
routes:
  - {{path: /, upstream: "{upstream}", origin: remove}}
"""
COUNTED = f"{STRANGER}  expose_headers: [x-total-count]\n"
ROUTES = """\
cors: {{allow_origins: [https://app.example.com]}}
routes:
  - {{name: own, path: /own, upstream: "{upstream}", cors: {{allow_headers: []}}}}
  - {{name: shared, path: /, upstream: "{upstream}"}}
"""


_OWN = ("calls", "stream", "worker", "xhr", "events", "socket", "image", "module")


class Evidence(Enum):
    """What `learn` is given."""

    LOG = "the proxy's log, in a file"
    STDIN = "the log, at standard input"
    HAR = "what the browser recorded"


class Session(NamedTuple):
    """What a client does on one page or several."""

    client: str
    settings: Mapping[str, object] = {}
    service: str = ""
    """The service that it calls; the API that answers everything where there is none."""
    file: str = STRANGER
    pages: tuple[str, ...] = (PAGE,)
    evidence: Evidence = Evidence.LOG
    suffix: str = ""
    """The domain whose pages may be proposed."""
    listed: str = ""
    """Why it stays refused, as `learn` says it; empty where it passes in the end."""

    @property
    def is_own(self) -> bool:
        """Whether the page needs no library for it."""
        return self.client in _OWN


def _calls(*given: tuple[str, Mapping[str, object]]) -> dict[str, object]:
    return {"calls": given}


JSON = {"Content-Type": "application/json"}
BEARER = {"Authorization": "Bearer t"}
PUT: Mapping[str, object] = {"method": "PUT", "headers": JSON, "body": "{}"}
INCLUDE: Mapping[str, object] = {"credentials": "include"}
LOGIN = ("/login", {"method": "POST", "body": "user=ada", **INCLUDE})

OWN = {
    "GET": Session("calls", _calls(("/a", {}))),
    "PUT of JSON": Session("calls", _calls(("/a", PUT)), file=NARROW),
    "a token and names of one's own": Session(
        "calls", _calls(("/a", {"headers": {**BEARER, "X-Request-Id": "1", "X-Tenant": "t"}}))
    ),
    "several methods": Session(
        "calls",
        _calls(
            ("/a", PUT),
            ("/a/1", {"method": "PATCH", "body": "{}"}),
            ("/a/1", {"method": "DELETE"}),
            ("/a", {"method": "HEAD"}),
        ),
        file=TIGHT,
    ),
    "WebDAV": Session("calls", _calls(("/a", {"method": "PROPFIND", "headers": {"Depth": "1"}}))),
    "cookies": Session("calls", _calls(LOGIN, ("/me", INCLUDE))),
    "cookies, then JSON with a preflight": Session(
        "calls", _calls(LOGIN, ("/me", {**PUT, **INCLUDE})), file=TIGHT
    ),
    "a preflight and credentials": Session("calls", _calls(("/a", {**PUT, **INCLUDE}))),
    "DELETE with credentials": Session(
        "calls", _calls(("/a", {"method": "DELETE", **INCLUDE})), file=TIGHT
    ),
    "a form with a file": Session("calls", _calls(("/echo", {"method": "POST", "form": True}))),
    "a redirect": Session("calls", _calls(("/moved", {}))),
    "a redirect after a preflight": Session("calls", _calls(("/moved", {"headers": BEARER}))),
    "keepalive": Session(
        "calls", _calls(("/a", {**PUT, "keepalive": True}))
    ),
    "a stream of events by fetch": Session("stream", {"headers": BEARER}),
    "a POST that streams events": Session(
        "stream", {"method": "POST", "headers": JSON, "body": "{}"}, file=NARROW
    ),
    "in a worker": Session("worker", {"path": "/a", "init": {**PUT}}),
    "XHR": Session("xhr"),
    "XHR that watches its upload": Session(
        "xhr", {"method": "POST", "path": "/echo", "body": "x" * 50_000, "watched": True}
    ),
    "XHR with credentials": Session(
        "xhr", {"method": "POST", "headers": JSON, "body": "{}", "credentials": True}, file=LISTED
    ),
    "EventSource": Session("events"),
    "EventSource with credentials": Session("events", {"credentials": True}, file=LISTED),
    "WebSocket": Session("socket"),
    "WebSocket on two ports": Session("socket", pages=(PAGE, OTHER)),
    "an image": Session("image"),
    "a module": Session("module"),
    "two ports": Session("calls", _calls(("/a", PUT)), pages=(PAGE, OTHER)),
    "two hosts": Session("calls", _calls(("/a", PUT)), pages=(PAGE, ADDRESS)),
    "a port more": Session("calls", _calls(("/a", {})), pages=(PAGE, OTHER), file=LISTED),
    "two routes": Session(
        "calls", _calls(("/own/a", {"headers": BEARER}), ("/b", {"headers": BEARER})), file=ROUTES
    ),
    "a page of one's own domain": Session(
        "calls", _calls(("/a", PUT)), pages=(SHOP,), suffix="example.test"
    ),
    "three siblings": Session(
        "calls",
        _calls(("/a", {})),
        pages=tuple(f"https://pr-{number}.example.test" for number in (1, 22, 3)),
        suffix="example.test",
    ),
    "a stranger's page": Session(
        "calls", _calls(("/a", {})), pages=(SHOP,), listed="not on this machine"
    ),
    "a page without an origin": Session(
        "calls", _calls(("/a", {})), pages=(f"{PAGE}/sandboxed/",), listed="any page can have"
    ),
    "GET, from a HAR": Session("calls", _calls(("/a", {})), evidence=Evidence.HAR),
    "cookies, from a HAR": Session(
        "calls", _calls(LOGIN, ("/me", INCLUDE)), evidence=Evidence.HAR
    ),
    "PUT, from a HAR": Session("calls", _calls(("/a", PUT)), evidence=Evidence.HAR, file=NARROW),
    "PUT, from standard input": Session(
        "calls", _calls(("/a", PUT)), evidence=Evidence.STDIN, file=NARROW
    ),
}  # fmt: skip


def _openai(**settings: object) -> Session:
    return Session("openai", settings, "openai")


def _axios(*given: Mapping[str, object], file: str = STRANGER, **settings: object) -> Session:
    return Session("axiosCalls", {"calls": given, **settings}, file=file)


LIBRARIES = {
    "openai": _openai(),
    "openai for an organization": _openai(organization="o", project="p"),
    "openai with headers of a gateway": _openai(defaultHeaders={"x-portkey-api-key": "k"}),
    "openai with credentials": _openai(fetchOptions=INCLUDE),
    "openai, from standard input": _openai()._replace(evidence=Evidence.STDIN, file=TIGHT),
    "tus": Session("tus", service="tus"),
    "tus with a token": Session("tus", {"headers": BEARER}, "tus", file=NARROW),
    "tus with credentials": Session("tus", {"credentials": True}, "tus"),
    "tus that creates with content": Session("tus", {"uploadDataDuringCreation": True}, "tus"),
    "tus without PATCH": Session("tus", {"overridePatchMethod": True}, "tus", file=TIGHT),
    "tus that deletes": Session("tus", {"deletes": True}, "tus", file=TIGHT),
    "tus of a length not known": Session(
        "tus", {"uploadLengthDeferred": True, "deletes": True}, "tus"
    ),
    "axios with a login": Session("axios", service="axios", file=COUNTED),
    "axios with a login, from a HAR": Session(
        "axios", service="axios", file=COUNTED, evidence=Evidence.HAR
    ),
    "axios": _axios({"url": "/a", "headers": {"X-Requested-With": "XMLHttpRequest"}}),
    "axios that writes": _axios(
        {"url": "/a", "method": "put", "data": {}},
        {"url": "/a", "method": "patch", "data": {}},
        {"url": "/a", "method": "delete"},
        file=TIGHT,
    ),
    "axios by fetch": _axios({"url": "/a", "method": "post", "data": {}}, adapter="fetch"),
    "axios with a password": _axios(
        {"url": "/a", "auth": {"username": "ada", "password": "x"}}, file=NARROW
    ),
    "axios that uploads a form": _axios({"url": "/echo", "method": "post"}, form=True),
    "axios that watches an upload": _axios(
        {"url": "/echo", "method": "post"}, form=True, watched=True
    ),
    "socket.io": Session("socketio", service="socketio"),
    "socket.io without credentials": Session(
        "socketio", {"withCredentials": False}, "socketio", file=LISTED, pages=(OTHER,)
    ),
    "socket.io by WebSocket alone": Session("socketio", {"transports": ["websocket"]}, "socketio"),
    "socket.io by polling alone": Session(
        "socketio", {"transports": ["polling"], "upgrades": False}, "socketio"
    ),
    "socket.io with headers": Session(
        "socketio", {"extraHeaders": {"X-Token": "t"}}, "socketio", file=NARROW
    ),
    "S3": Session("s3", service="s3", file=SIGNED),
    "S3 that only writes": Session(
        "s3", {"reads": False}, "s3", file=SIGNED, evidence=Evidence.STDIN
    ),
    "Apollo": Session("graphql", service="graphql"),
    "Apollo without credentials": Session("graphql", {"credentials": "omit"}, "graphql"),
    "Apollo by GET": Session(
        "graphql",
        {"useGETForQueries": True, "headers": {"apollo-require-preflight": "true"}},
        "graphql",
        file=NARROW,
    ),
    "Apollo with a token": Session(
        "graphql", {"headers": BEARER, "credentials": "same-origin"}, "graphql"
    ),
    "OIDC": Session(
        "oidc",
        {"paths": {"token_endpoint": "/token", "userinfo_endpoint": "/me"}},
        "oidc",
        file=WITHOUT_ORIGIN,
    ),
}
