"""Tests of `core/dialects/openai`."""
