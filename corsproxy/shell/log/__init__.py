"""What is told: exchanges and events, in words or as JSON, one line each."""
