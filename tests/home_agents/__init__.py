"""Tests of `home_agents`."""
