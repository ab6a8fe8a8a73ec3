"""Home Assistant's own agents as backends of the gateway."""
