"""Traefik: a router for each kind of request, ordered by priority. Traefik cannot answer without
a service, so refusals use an address list that allows no address.
"""
