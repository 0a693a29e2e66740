"""Bytes on their way, in bounds of memory and time, whoever the peer is."""
