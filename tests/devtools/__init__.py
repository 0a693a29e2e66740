"""What the inspector shows, compared with what DevTools saw, for many generated exchanges.

Not among the other tests, because it takes a minute: `make devtools`.
"""
