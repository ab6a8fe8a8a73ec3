"""The maximum and the actual cost of a request."""
