"""Envoy: routes decide, not its CORS filter, which never looks at what a preflight asks for.

A short Lua script, the same for every file, does what routes cannot: compare Origin with Host,
and bring links and cookies back. What differs stands as metadata beside each route.
"""
