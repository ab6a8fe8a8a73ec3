"""Clouds and local engines, faked faithfully on 127.0.0.1. `test_clouds.py` holds each to its provider's own SDK."""
