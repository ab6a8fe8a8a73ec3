"""The client library: finds the providers on the network and asks the best one, with failover."""

from .answers import Answer, Stream
from .client import Client
from .connections import Hints, NoProviderError
from .sync_client import SyncClient

__all__ = ["Answer", "Client", "Hints", "NoProviderError", "Stream", "SyncClient"]
