"""The wire, without I/O: records, requests, streams, errors, health and status. Plan of record: docs/protocol.md."""
