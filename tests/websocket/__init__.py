"""Tests of `websocket`."""
