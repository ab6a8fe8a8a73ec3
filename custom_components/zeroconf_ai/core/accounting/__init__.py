"""What was used, by whom, at what cost; and the keys by which is known who asks (docs/architecture.md)."""
