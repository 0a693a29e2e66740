"""The demo: an API without CORS, and a page on another origin that calls it.

`corsproxy serve` uses nothing from here. The proxy between the two is the real one; it is
put together by `corsproxy.cli.demo`.
"""
