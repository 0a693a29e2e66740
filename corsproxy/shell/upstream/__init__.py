"""Connections to the upstreams: names, dialling, pools, and their common interface."""
