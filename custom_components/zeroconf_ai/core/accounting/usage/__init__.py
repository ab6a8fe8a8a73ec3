"""Usage records and their aggregates."""
