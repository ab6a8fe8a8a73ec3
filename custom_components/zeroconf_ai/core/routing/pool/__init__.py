"""The backends with their live state."""
