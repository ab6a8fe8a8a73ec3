"""Tests of the local network's part."""
