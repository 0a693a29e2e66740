"""The proxy as an aiohttp application: to run by itself, or to mount in another one.

    from aiohttp import web
    from corsproxy.aiohttp import proxy_app

    app = web.Application()
    app.add_subapp("/api", proxy_app("https://api.example.com", allow_origins=["http://localhost:5173"]))
    web.run_app(app)

It is the third way in beside HTTP/1.1 and HTTP/2, through the same seam: the same decisions,
rewriting, upstreams, errors and outcomes. Exchanges end when clients leave, event streams and
WebSockets when the application shuts down, and logins that hold for a connection (NTLM, Negotiate)
hold for the client's.

What aiohttp's public API cannot carry, or does by itself:

* Field values that are not UTF-8: the odd bytes become U+FFFD.
* Requests that aiohttp's parser refuses, `OPTIONS *` among them: its own 400 has no grant, so a
  page cannot read it, and there is no record of it.
* WebSocket extensions: none are negotiated. Messages arrive whole, up to 4 MiB; a larger one ends
  the WebSocket with 1009. Where an upstream chooses none of the subprotocols that a page offers,
  aiohttp logs a warning.
* On shutdown, WebSockets get a 1001 and their connections end: aiohttp reads no answer to it.
* Protocols other than WebSocket: the request goes on without asking to switch.
* That a client has left while its upstream says nothing: this is noticed within a quarter of a
  second.
"""

from corsproxy.aiohttp.app import proxy_app

__all__ = ["proxy_app"]
