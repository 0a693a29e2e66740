"""The scopes of the browser tests' fixtures, all on one event loop."""

import pytest_asyncio

shared = pytest_asyncio.fixture(scope="session", loop_scope="session")
"""One for the whole run."""

fresh = pytest_asyncio.fixture(loop_scope="session")
"""One for each test."""
