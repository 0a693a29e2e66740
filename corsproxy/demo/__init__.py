"""The demo's stage: an API without CORS, and a page on another origin that calls it.

Nothing here is used by `corsproxy serve`. The proxy between the two is the real one,
put together by `corsproxy.cli.demo`.
"""
