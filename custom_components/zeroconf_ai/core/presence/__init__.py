"""The engine on the network: its advertised record, and discovered providers as members of its pool."""
