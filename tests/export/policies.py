"""Policies by the hundred, each with the questions that its own entries call for."""

import json
from typing import Any

from hypothesis import strategies as st

from tests.export.probes import HANDSHAKE, Probe, call, preflight

_HOSTS = ("app.example.com", "example.com", "a-b.example.net", "x_y.example.org", "api.test")
_METHODS = ("GET", "PUT", "PATCH", "patch", "DELETE", "OPTIONS", "QUERY", "PROPFIND")
_HEADERS = ("content-type", "authorization", "x-a", "x-b.c", "range", "x~d")
_EXPOSED = ("x-request-id", "x-upstream", "x-total-count", "etag")
_PATHS = ("/a", "/a/b", "/ab", "/v1.2", "/x-y", "/q(r)", "/it's", "/$d".replace("$", "~"), "/e=f&g")
_BASES = ("", "/v2", "/v2/x", "/b$c", "/o+k", "/caf%C3%A9")
VALUES = (
    "plain", 'a "quoted" one', "it's", "$host ${HOME} $1", "{curly} {$HOME} {{ .Env }}",
    "# no comment", "back\\slash \\n \\",
    "100% %[src] %{x}", "`tick`", "a; b, c", "%REQ(origin)%", "<b>&amp;",
    "ünïcödé \U0001f600", "a\tb", "*/ --", "}", "{", ";", "';", "\\\"", "$", "%", "$$", "%%", "~^x",
)  # fmt: skip


def entries() -> st.SearchStrategy[str]:
    scheme = st.sampled_from(("https", "http"))
    host = st.sampled_from(_HOSTS)
    port = st.sampled_from(("", "", ":8443", ":*"))
    star = st.sampled_from(("", "", "*.", "pr-*.", "*-x."))
    web = st.builds(lambda s, w, h, p: f"{s}://{w}{h}{p}", scheme, star, host, port)
    others = ("http://localhost:*", "http://127.0.0.1:3000", "http://[::1]:5173", "null",
              "chrome-extension://abcdef", "https://*.preview.example.com", "file://")  # fmt: skip
    return st.one_of(web, web, st.sampled_from(others))


@st.composite
def _cors(draw: st.DrawFn, *, partial: bool) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    is_any = draw(st.integers(0, 5)) == 0
    if not partial or draw(st.booleans()):
        listed = draw(st.lists(entries(), min_size=0 if partial else 1, max_size=4, unique=True))
        rules["allow_origins"] = ["*"] if is_any else listed
    if draw(st.booleans()):
        names = draw(st.lists(st.sampled_from(_METHODS), min_size=1, max_size=3, unique=True))
        rules["allow_methods"] = "*" if draw(st.integers(0, 3)) == 0 else names
    if draw(st.booleans()):
        names = draw(st.lists(st.sampled_from(_HEADERS), max_size=3, unique=True))
        rules["allow_headers"] = "*" if draw(st.integers(0, 2)) == 0 else names
    if draw(st.booleans()):
        names = draw(st.lists(st.sampled_from(_EXPOSED), max_size=3, unique=True))
        rules["expose_headers"] = "*" if draw(st.integers(0, 2)) == 0 else names
    if draw(st.booleans()):
        origins = rules.get("allow_origins", ["null"])
        rules["allow_credentials"] = draw(st.booleans()) and not {"*", "null"} & set(origins)
    elif "allow_origins" in rules:
        rules["allow_credentials"] = False
    if draw(st.booleans()):
        rules["max_age"] = draw(st.sampled_from((0, 5, 600)))
    if draw(st.booleans()):
        rules["unlisted_origins"] = draw(st.sampled_from(("block", "forward")))
    return rules


@st.composite
def _route(draw: st.DrawFn, path: str) -> dict[str, Any]:
    route: dict[str, Any] = {"path": path, "upstream": "UPSTREAM" + draw(st.sampled_from(_BASES))}
    for key in ("strip_path", "preserve_host"):
        if draw(st.integers(0, 2)) == 0:
            route[key] = True
    kind = draw(st.integers(0, 5))
    if kind == 0:
        route["cors"] = "passthrough"
    elif kind < 4:
        route["cors"] = draw(_cors(partial=True))
    if draw(st.integers(0, 3)) == 0 and kind:
        route["origin"] = draw(st.sampled_from(("rewrite", "keep", "remove")))
    if draw(st.integers(0, 2)) == 0:
        route["request_headers"] = {"set": {"X-Api-Key": draw(st.sampled_from(VALUES))}}
    if draw(st.integers(0, 2)) == 0:
        route["response_headers"] = {"set": {"X-Set": draw(st.sampled_from(VALUES))}}
    if draw(st.integers(0, 3)) == 0:
        route["cookies"] = "keep"
    if draw(st.integers(0, 3)) == 0:
        route["forwarded"] = draw(st.sampled_from(("auto", "on", "off")))
    if draw(st.integers(0, 3)) == 0:
        route["documents"] = "sandbox"
    return route


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """A file as an object; LISTEN, UPSTREAM and DEAD are still to be filled in."""
    content: dict[str, Any] = {
        "listen": "LISTEN",
        "admin": "off",
        "cors": draw(_cors(partial=False)),
    }
    paths = draw(st.lists(st.sampled_from(_PATHS), max_size=3, unique=True))
    content["routes"] = [draw(_route(path)) for path in paths]
    if not paths:
        del content["routes"]
    if not paths or draw(st.integers(0, 3)):
        content["upstream"] = "UPSTREAM" + draw(st.sampled_from(_BASES))
    if draw(st.booleans()):
        content["allowed_hosts"] = draw(st.sampled_from((["shop.test"], ["*"], ["a.b", "c_d"])))
    if draw(st.integers(0, 3)) == 0:
        content["via"] = draw(st.sampled_from((False, "edge")))
    return content


def text_of(content: dict[str, Any], port: int, upstream: int, dead: int) -> str:
    """The file as text: JSON, which is YAML."""
    text = json.dumps(content, indent=1, ensure_ascii=False).replace("$", "$$")
    places = {"LISTEN": f"127.0.0.1:{port}", "UPSTREAM": f"http://127.0.0.1:{upstream}",
              "DEAD": f"http://127.0.0.1:{dead}"}  # fmt: skip
    for name, value in places.items():
        text = text.replace(name, value)
    return text


def look_alikes(entry: str) -> list[str]:
    """Origins that an entry allows, and those that a careless expression would allow, too."""
    if entry in ("*", "null", "file://"):
        return ["null", "file://", "NULL", "https://null"]
    scheme, _, rest = entry.partition("://")
    whole = rest.replace("*.", "one.two.", 1).replace("pr-*", "pr-12").replace("*-x", "z-x")
    host = whole.replace(":*", ":5173")
    bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    port = host[len(bare) :]
    other = "http" if scheme == "https" else "https"
    return [
        f"{scheme}://{host}",
        f"{scheme}://{rest.replace('*.', 'one.', 1).replace('pr-*', 'pr-a.b').replace(':*', '')}",
        f"{scheme}://{rest.replace('*.', '').replace('pr-*', 'pr-').replace(':*', ':99999')}",
        f"{other}://{host}",
        f"{scheme}://{bare}.evil.test{port}",
        f"{scheme}://evil{bare}{port}",
        f"{scheme}://{bare}.{port}",
        f"{scheme}://{bare.replace('.', 'x', 1)}{port}",
        f"{scheme}://{bare.upper()}{port}",
        f"{scheme.upper()}://{host}",
        f"{scheme}://{bare}:{'443' if scheme == 'https' else '80'}",
        f"{scheme}://{bare}:8444",
        f"{scheme}://{bare}:",
        f"{scheme}://user@{host}",
        f"{scheme}://{host}/",
        f" {scheme}://{host} x",
    ]


def probes_for(content: dict[str, Any]) -> list[Probe]:
    """Ask every route about its own entries, their look-alikes, and the rest of its rules."""
    found: list[Probe] = []
    routes = [*content.get("routes", []), {"path": "/none", "cors": content["cors"]}]
    for route in routes:
        rules = route.get("cors", content["cors"])
        rules = {} if isinstance(rules, str) else rules
        named = rules.get("allow_origins", content["cors"]["allow_origins"])
        path = route["path"]
        for entry in named:
            for number, origin in enumerate(look_alikes(entry)):
                found.append(preflight(origin, f"{path}/p"))
                if number < 6:
                    found.append(call(origin, f"{path}/p?q", "GET"))
        first = look_alikes(named[0])[0] if named else "https://nobody.test"
        found += _questions(first, path)
    return found[:220]


def _questions(origin: str, path: str) -> list[Probe]:
    return [
        *(preflight(origin, path, method) for method in (*_METHODS, "NOSUCH", "get")),
        *(preflight(origin, path, "GET", names) for names in
          ("x-a", "X-A", "range", "x-a,x-b.c", "x-nope", "x-a, x-nope", ",,x-a,", "x~d")),
        preflight(origin, path, "GET", "bad name", kind="bad-name"),
        call("", path), call("", f"{path}x"), call("", f"{path}/404"), call(origin, f"{path}/500"),
        call(origin, path, "PUT"), call(origin, path, "OPTIONS"), call(origin, path, "HEAD"),
        call("https://nobody.test", path), call("https://nobody.test", path, "POST"),
        call("null", path), call("http://SELF", path), call("https://SELF", path),
        call("http://SELF", path, "GET", ("Sec-Fetch-Site", "same-site")),
        call("https://nobody.test", path, "GET", ("Sec-Fetch-Site", "same-origin")),
        call("https://nobody.test", path, "GET",
             *HANDSHAKE, kind="handshake"),
        call(origin, path, host="evil.test"), call(origin, path, host="shop.test"),
        call(origin, path, host="a.b"), call(origin, f"{path}/../a"),
        call(origin, f"/{path}", kind="bytes"),
        call(origin, path.replace("a", "%61", 1), kind="encoded"),
        call(origin, f"{path}%2fx", kind="bytes"),
        call(origin, f"/x{path}"), call(origin, f"{path};p=1/x"), call(origin, f"{path}?/a/b"),
        call(origin, path, "TRACE"), call(origin, path, "NOSUCH", kind="unknown-method"),
    ]  # fmt: skip
