"""Tests of `repairs`."""
