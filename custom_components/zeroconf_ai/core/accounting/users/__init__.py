"""People who sign in to the portal."""
