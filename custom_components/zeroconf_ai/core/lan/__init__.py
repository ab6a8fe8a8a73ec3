"""Providers on the local network: advertising, discovery, identity and trust."""
