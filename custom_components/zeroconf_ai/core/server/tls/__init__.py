"""TLS of a separate port: the server's own certificate authority, its certificate, and plain HTTP on a TLS port."""
