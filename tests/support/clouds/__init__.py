"""Fakes of cloud APIs and local engines on 127.0.0.1. `test_clouds.py` checks each with its provider's SDK."""
