"""`scripts/soak`: clients use a gateway while its providers, links, clock, disk and database fail. Nothing may be lost."""
