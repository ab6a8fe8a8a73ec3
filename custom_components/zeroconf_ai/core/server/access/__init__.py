"""Authentication, allowed networks and CORS origins."""
