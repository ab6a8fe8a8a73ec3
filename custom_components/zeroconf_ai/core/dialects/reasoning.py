"""Thoughts of models that must come back unchanged."""

SEALED = "anthropic-claude-v1"
"""The format's name in `reasoning_details`, OpenRouter's way to hand thinking blocks to an OpenAI client and back."""
