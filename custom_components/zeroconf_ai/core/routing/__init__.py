"""Chooses among backends and sees a request through to its last token (docs/protocol.md, section 3)."""
