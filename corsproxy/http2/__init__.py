"""HTTP/2 (RFC 9113) for a server, without I/O: bytes in, events and bytes to send out.

The `h2` library keeps the states of streams and the flow-control windows. This package adds
what a proxy to HTTP/1.1 needs beyond it: checking that requests are well-formed, limits on
what each peer may cost, and a cheap coding of fields.
"""
