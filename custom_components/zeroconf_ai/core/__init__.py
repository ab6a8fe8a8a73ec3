"""ZeroConf AI: finds, uses and serves LLM providers on the local network. Imports nothing of Home Assistant."""

__version__ = "0.1.0"
