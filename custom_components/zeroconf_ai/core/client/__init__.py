"""The client library: finds the providers on the network and asks the best one, with failover."""
