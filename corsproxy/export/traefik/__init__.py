"""Traefik: a router for each kind of request, in the order of their priorities. There is no answer
without a service, so refusals are made of an address list that allows no address.
"""
