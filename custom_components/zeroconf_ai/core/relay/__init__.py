"""The relay: a provider behind a NAT keeps one WebSocket open, over which requests reach it."""
