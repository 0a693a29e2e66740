"""The proxy as an aiohttp application: to run by itself, or to mount in another one.

    from aiohttp import web
    from corsproxy.aiohttp import proxy_app

    app = web.Application()
    app.add_subapp("/api", proxy_app("https://api.example.com", allow_origins=["http://localhost:5173"]))
    web.run_app(app)

It is the third way in beside HTTP/1.1 and HTTP/2, through the same seam: the same decisions,
rewriting, upstreams, errors and outcomes. What aiohttp's public API cannot carry: field values that
are not UTF-8 (the odd bytes become U+FFFD), the spelling of request targets that aiohttp refuses,
`OPTIONS *`, WebSocket extensions (none are negotiated), the fragments of WebSocket messages (they
arrive whole, up to 4 MiB), and switching to protocols other than WebSocket (the request goes on
without asking for it).
"""

from corsproxy.aiohttp.app import proxy_app

__all__ = ["proxy_app"]
