"""Ollama's native API. Its OpenAI-compatible API ignores context size, keep-alive and thinking, and has no native images."""
