"""Ollama's native API, which can do what its OpenAI-compatible one ignores: context size, keep-alive, thinking, native images."""
