"""Real processes on a LAN of network namespaces: Home Assistant, providers, a browser."""
