"""What the browser lets the page make of a response, worked out from what both sides sent."""
