"""The ground under every app: the request id, and text."""
