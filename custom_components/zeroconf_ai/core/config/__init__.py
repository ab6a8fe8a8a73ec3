"""The configuration of backends and routing."""
