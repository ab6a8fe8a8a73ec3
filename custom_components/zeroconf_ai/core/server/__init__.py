"""The engine's HTTP face (docs/protocol.md, section 2): on an own port (`app`), or mounted on another server (`dispatch`)."""
