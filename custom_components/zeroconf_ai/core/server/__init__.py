"""The HTTP server of the engine (docs/protocol.md, section 2): on a separate port (`app`) or another server's (`dispatch`)."""
