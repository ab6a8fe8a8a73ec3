"""Authentication, networks and origins."""
