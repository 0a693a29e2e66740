"""Programs that go on for as long as they are let: soak, siege, reloads, fuzz."""
