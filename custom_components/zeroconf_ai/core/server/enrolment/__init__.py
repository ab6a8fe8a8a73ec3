"""Enrolment: a client gets its certificate by a one-time code, or when the owner approves it (docs/protocol.md, section 4)."""
