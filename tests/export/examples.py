"""The example that every engine is measured with, and what is asked of it."""

from tests.export.probes import HANDSHAKE, Probe, call, preflight

APP = "https://app.example.com"
EVIL = "https://evil.example.com"

EXAMPLE = """\
version: 1
listen: 127.0.0.1:{port}
admin: off
allowed_hosts: [shop.test]
cors:
  allow_origins:
    - https://app.example.com
    - https://*.preview.example.com
    - https://pr-*.example.com
    - http://localhost:*
  allow_methods: [GET, HEAD, POST, PUT]
  allow_headers: [Content-Type, Authorization, X-Request-Id]
  expose_headers: [X-Request-Id, X-Total-Count]
  allow_credentials: true
  max_age: 10m
upstream: http://127.0.0.1:{upstream}
routes:
  - name: shop
    path: /shop
    upstream: http://127.0.0.1:{upstream}/v2
    strip_path: true
    cors: {{allow_headers: "*", max_age: none}}
    request_headers: {{set: {{X-Api-Key: k}}, remove: [X-Debug]}}
    response_headers: {{set: {{Cache-Control: no-store}}, remove: [Server]}}
  - name: open
    path: /open
    upstream: http://127.0.0.1:{upstream}
    cors: {{allow_origins: ["*"], allow_credentials: false}}
  - name: fwd
    path: /fwd
    upstream: http://127.0.0.1:{upstream}
    cors: {{allow_origins: [https://app.example.com, "null"], allow_credentials: false, unlisted_origins: forward}}
  - name: dead
    path: /dead
    upstream: http://127.0.0.1:{dead}
"""  # noqa: E501

PROBES: tuple[Probe, ...] = (
    preflight(APP, "/v1/users"),
    preflight(APP, "/v1/users", "PUT", "content-type,x-request-id"),
    preflight(APP, "/v1/users", "DELETE"),
    preflight(APP, "/v1/users", "PUT", "x-evil"),
    preflight(APP, "/v1/users", "GET", "range"),
    preflight("https://a.preview.example.com", "/"),
    preflight("https://a.b.preview.example.com", "/"),
    preflight("https://preview.example.com", "/"),
    preflight("https://pr-12.example.com", "/"),
    preflight("https://pr-12.x.example.com", "/"),
    preflight("https://pr-.example.com", "/"),
    preflight("http://localhost:5173", "/"),
    preflight("http://localhost", "/"),
    preflight("http://localhost:80", "/"),
    preflight("http://localhost:65536", "/"),
    preflight("https://app.example.com.evil.test", "/"),
    preflight("https://evilapp.example.com", "/"),
    preflight("https://appxexample.com", "/"),
    preflight("HTTPS://APP.EXAMPLE.COM", "/"),
    preflight("null", "/"),
    preflight("null", "/fwd/x"),
    preflight(EVIL, "/fwd/x"),
    preflight(APP, "/fwd/x"),
    preflight(APP, "/shop/cart", "PUT", "x-anything,x-else"),
    preflight(APP, "/shop/cart", "PUT", "x-anything, bad name", kind="bad-name"),
    preflight(APP, "/shop/cart"),
    preflight(EVIL, "/shop/cart"),
    preflight(EVIL, "/open/x"),
    preflight(EVIL, "/open/x", "DELETE"),
    preflight(APP, "/dead/x"),
    preflight(APP, "/v1", "", kind="empty-method"),
    call(APP, "/v1", "OPTIONS"),
    call(EVIL, "/v1", "OPTIONS"),
    call("", "/v1", "OPTIONS"),
    call(APP, "/v1/users"),
    call(APP, "/v1/users", "HEAD"),
    call(APP, "/v1/302"),
    call(APP, "/v1/304"),
    call(APP, "/v1/404"),
    call(APP, "/v1/500"),
    call(APP, "/dead/x"),
    call("", "/dead/x"),
    call("", "/v1/users"),
    call(EVIL, "/v1/users"),
    call(EVIL, "/v1/users", "POST"),
    call("null", "/v1/users"),
    call("http://SELF", "/v1/users"),
    call("https://SELF", "/v1/users"),
    call(EVIL, "/v1/users", "GET", ("Sec-Fetch-Site", "cross-site")),
    call(EVIL, "/v1/users", "GET", ("Sec-Fetch-Site", "same-origin")),
    call("http://SELF", "/v1/users", "GET", ("Sec-Fetch-Site", "cross-site")),
    call(APP, "/v1/users", "GET", ("Referer", "https://app.example.com/page?x"),
         ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "cors")),
    call(APP, "/v1/users", "GET", ("X-Forwarded-Host", "evil.test"), ("Cookie", "a=1; b=2")),
    call(APP, "/v1/vary-both"),
    call(APP, "/shop/cart?x=1", "GET", ("X-Debug", "1")),
    call(APP, "/shop"),
    call(APP, "/shop/"),
    call(APP, "/shop?x"),
    call(APP, "/shopping"),
    call(APP, "/shop/a%2Fb//c?x=%2f", kind="bytes"),
    call(APP, "/shop/302"),
    call(APP, "/shop/302/moved"),
    call(APP, "/v1/302/elsewhere"),
    call(APP, "/shop/cookies"),
    call("", "/v1/cookies"),
    call(EVIL, "/open/x"),
    call("", "/open/x"),
    call(APP, "/open/vary-both"),
    call(APP, "/fwd/x"),
    call("null", "/fwd/x"),
    call(EVIL, "/fwd/x"),
    call("", "/fwd/x"),
    call(EVIL, "/fwd/x", "GET", *HANDSHAKE, kind="handshake"),
    call(APP, "/v1", host="evil.test"),
    call(EVIL, "/v1", host="evil.test"),
    preflight(APP, "/v1", host="evil.test", kind="refused-preflight"),
    call(APP, "/v1", host="shop.test"),
    call(APP, "/v1", host="a.localhost:1"),
    call(APP, "/v1", host="[::1]:SELF"),
    call(APP, "/v1", host="0.0.0.0:SELF"),
    call("https://shop.test", "/v1", host="shop.test", kind="own-port"),
    call("http://shop.test:SELF", "/v1", host="SHOP.test:SELF"),
    call(APP, "/shop/../v1"),
    call(APP, "/shop/%2e%2E/v1"),
    call(APP, "/%73hop/cart", kind="encoded"),
    call(APP, "//shop/cart"),
    call(APP, "/x%2f..%2fshop"),
    call(APP, "/x\\..\\shop"),
    call(APP, "/shop;a=1/cart"),
    call(APP, "/v1/users", "TRACE"),
    call(APP, "/v1/users", "NOSUCH", kind="unknown-method"),
    call(APP, "/v1/users", "PUT"),
    call(EVIL, "/v1/users", "PUT"),
    Probe("GET", "/v1/users", (("Origin", APP), ("Origin", EVIL)), kind="two-origins"),
    Probe("GET", "/v1/users", (("Origin", EVIL), ("Origin", APP)), kind="two-origins"),
    Probe("OPTIONS", "/v1/users", (("Origin", EVIL), ("Origin", APP),
          ("Access-Control-Request-Method", "PUT")), kind="two-origins"),
    call(f"{APP}, {EVIL}", "/v1/users"),
)  # fmt: skip
