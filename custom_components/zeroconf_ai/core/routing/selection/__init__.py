"""Which backends may answer a request, and in which order."""
