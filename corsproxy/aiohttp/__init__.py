"""The proxy as an aiohttp application: to run by itself, or to mount in another one.

    from aiohttp import web
    from corsproxy.aiohttp import proxy_app

    app = web.Application()
    app.add_subapp("/api", proxy_app("https://api.example.com", allow_origins=["http://localhost:5173"]))
    web.run_app(app)

It uses the same interface as HTTP/1.1 and HTTP/2, so it has the same decisions, rewriting,
upstreams, errors and outcomes. Exchanges end when clients leave, event streams and WebSockets also
when the application shuts down. Logins that are bound to a connection (NTLM, Negotiate) are bound
to the client's.

Limits of aiohttp's public API, and what aiohttp does by itself:

* Field values that are not UTF-8: the invalid bytes become U+FFFD.
* Requests that aiohttp refuses by itself with 400, and `OPTIONS *` and CONNECT with 404: its
  response has no grant, so a page cannot read it, and there is no record of it.
* Mounted in another application, that one's limits on the size of heads apply as well, and content
  that a client has compressed arrives decoded, without its Content-Encoding.
  `web.run_app(app, auto_decompress=False, max_field_size=32768)` changes both.
* WebSocket extensions: none are negotiated. Messages arrive whole, up to 4 MiB; a larger one ends
  the WebSocket with 1009. If an upstream chooses none of the subprotocols that a page offers,
  aiohttp logs a warning.
* On shutdown, WebSockets get a 1001 and are closed without waiting for the client's answer.
* Protocols other than WebSocket: the request is forwarded without its Upgrade.
* A client that leaves while its upstream is silent is noticed within a quarter of a second.
"""

from corsproxy.aiohttp.app import proxy_app

__all__ = ["proxy_app"]
