"""Backends against real servers on this machine that act up."""
