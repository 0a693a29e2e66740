"""How long the fixtures of the browser tests live; all of them on one event loop."""

import pytest_asyncio

shared = pytest_asyncio.fixture(scope="session", loop_scope="session")
"""One for the whole run."""

fresh = pytest_asyncio.fixture(loop_scope="session")
"""One for each test."""
