"""HAProxy: one frontend that decides, with transaction variables, and a backend for each route.
Grants are added where every response passes, HAProxy's own errors included.
"""
