"""Every decision, as pure functions over frozen values.

Nothing here imports asyncio, aiohttp, a clock, the environment or logging. A request
head goes in, a decision comes out; bodies never enter.
"""
