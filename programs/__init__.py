"""Test programs that run as long as wanted: soak, siege, reloads, fuzz."""
