"""The relay of `serve`: connectors that no network leads to open their links to it."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import aiohttp

from ..accounting.store import AccountingStore
from ..config.cluster_fields import ClusterSettings
from ..engine import Engine
from ..relay.handshake import Welcome
from ..relay.house import RelayHouse, house_key
from ..relay.key_file import KeyFileError
from ..server.gateway import Gateway
from .errors import CommandError
from .state import relay_folder


async def open_relay(
    stack: AsyncExitStack,
    engine: Engine,
    gateway: Gateway,
    store: AccountingStore | None,
    cluster: ClusterSettings | None = None,
) -> RelayHouse | None:
    """Admit connectors at the ports of the gateway until `stack` closes. Returns None if there is no database to store them in.

    `cluster`: other brokers with the same database use them too. Raises CommandError if the key file cannot be used.
    """
    if store is None:
        return None
    house = Welcome(gateway.id, gateway.name)
    if cluster is None:
        relay = RelayHouse(engine, store, partial(asyncio.to_thread, house_key, relay_folder(gateway.id)), house)
    else:
        from ..relay.cluster import cluster_key  # noqa: PLC0415 - it loads `cryptography`

        # So that a connector is paired with all of them at once.
        relay = RelayHouse(engine, store, cluster_key(cluster.secret, b"house"), house)
    relay.pin = lambda: None if gateway.tls is None else gateway.tls.fingerprint
    gateway.relay = relay.hub
    try:
        await relay.start()
    except KeyFileError as err:
        raise CommandError(str(err), kind="file_error") from None
    stack.push_async_callback(relay.close)
    if cluster is not None:
        from ..relay.cluster import Cluster  # noqa: PLC0415 - as above

        session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        gateway.brokers = brokers = Cluster(relay.hub, store.broker_links, session, cluster)
        brokers.start()
        stack.push_async_callback(brokers.close)
    return relay
