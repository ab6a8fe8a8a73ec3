"""The portal of `zeroconf-ai serve`: people sign in by OpenID Connect and get API keys."""
