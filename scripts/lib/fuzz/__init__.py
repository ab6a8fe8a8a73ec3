"""`scripts/fuzz`: odd bytes for every parser of what comes from the network, from a client or from a file."""
