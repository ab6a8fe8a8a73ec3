"""Signed reasoning of Claude models, which clients must send back unchanged."""

SIGNED_FORMAT = "anthropic-claude-v1"
"""The value of `format` in `reasoning_details`, in which OpenRouter passes thinking blocks to OpenAI clients and back."""
