"""What a request costs, at most and in the end."""
