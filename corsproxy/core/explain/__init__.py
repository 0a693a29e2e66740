"""What would happen to a page's call, step by step."""
