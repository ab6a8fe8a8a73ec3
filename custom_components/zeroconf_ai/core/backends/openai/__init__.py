"""Servers that speak OpenAI's language: their bytes pass through. What tells them apart is data (`flavors.py`)."""
