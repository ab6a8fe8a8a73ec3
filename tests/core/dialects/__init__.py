"""Tests of `core/dialects`."""
