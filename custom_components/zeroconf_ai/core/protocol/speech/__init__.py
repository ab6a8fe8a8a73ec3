"""Converts a model's text to text for speech."""
