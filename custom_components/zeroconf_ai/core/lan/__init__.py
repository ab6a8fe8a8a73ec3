"""Providers on the local network: which advertisements are kept, and when their providers are asked."""
