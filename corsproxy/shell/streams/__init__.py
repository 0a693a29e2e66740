"""Streams of bytes, with bounds on memory and time."""
