"""What a page can really read: a model of the browser, and a real Chromium beside it."""
