"""Home Assistant's conversation agents and AI tasks as backends of the gateway."""
