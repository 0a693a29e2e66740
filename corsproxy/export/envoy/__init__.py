"""Envoy: routes decide. Its CORS filter is not used, because it ignores what preflights ask for.

A short Lua script does what routes cannot: compare Origin with Host, and map links and cookies
back. It is the same for every file; its parameters are metadata of each route.
"""
