"""Rate limits and limits of parallel requests."""
