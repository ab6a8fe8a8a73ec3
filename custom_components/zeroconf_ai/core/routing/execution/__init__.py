"""Attempts at backends, until the first token and to the end of the answer."""
