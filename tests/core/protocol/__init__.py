"""The wire's types."""
