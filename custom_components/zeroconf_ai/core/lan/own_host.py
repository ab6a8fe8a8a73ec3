"""Checks whether this host itself advertises a loopback address.

Any host on the network can advertise 127.0.0.1 or ::1. A request to that address would reach this host's own services because
of a foreign advertisement, so loopback addresses are used only if a program on this host advertises the name.
"""

import asyncio
import socket
from typing import override

from zeroconf import const
from zeroconf._dns import DNSQuestion, DNSService
from zeroconf._protocol.incoming import DNSIncoming
from zeroconf._protocol.outgoing import DNSOutgoing

from ..protocol.addresses import unmapped
from ..protocol.record import ServiceRecord

ANSWER_SECONDS = 1.0
RETRY_SECONDS = 0.25
_LOOPBACK = "127.0.0.1"
_MDNS = ("224.0.0.251", 5353)


async def without_foreign_loopback(record: ServiceRecord) -> ServiceRecord | None:
    """The record reduced to usable addresses; None if there are none.

    Loopback addresses are usable only if the record has no other and a program on this host advertises it.
    """
    reachable = [address for address in record.addresses if not unmapped(address).is_loopback]
    if reachable:
        return record if len(reachable) == len(record.addresses) else record.with_addresses(reachable)
    if record.addresses and await advertised_by_this_host(record):
        return record
    return None


async def advertised_by_this_host(record: ServiceRecord) -> bool:
    """Whether a program on this host advertises the record's name with its port.

    The query (RFC 6762, 6.7) is sent on the loopback interface from a port of 127.0.0.1, and the answer returns to it by unicast:
    packets from other hosts reach neither.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[None] = loop.create_future()
    try:
        transport, _ = await loop.create_datagram_endpoint(lambda: _AnswerProtocol(record, answered), sock=_socket())
    except OSError:
        return False
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                transport.sendto(_question(record), _MDNS)
                done, _ = await asyncio.wait([answered], timeout=RETRY_SECONDS)
                if done:
                    return True
    except TimeoutError:
        return False
    finally:
        transport.close()
        answered.cancel()


def _socket() -> socket.socket:
    """A socket whose multicast stays on the loopback interface. Raises OSError."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(_LOOPBACK))
        made.bind((_LOOPBACK, 0))
    except OSError:
        made.close()
        raise
    return made


def _name(record: ServiceRecord) -> str:
    return f"{record.name}.{record.service_type}"


def _question(record: ServiceRecord) -> bytes:
    query = DNSOutgoing(const._FLAGS_QR_QUERY)
    question = DNSQuestion(_name(record), const._TYPE_SRV, const._CLASS_IN)
    question.unicast = True  # python-zeroconf drops repeated questions for multicast answers
    query.add_question(question)
    return query.packets()[0]


class _AnswerProtocol(asyncio.DatagramProtocol):
    """Resolves a future at the first matching answer."""

    def __init__(self, record: ServiceRecord, answered: asyncio.Future[None]) -> None:
        self._record = record
        self._answered = answered

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr[0].startswith("127.") and not self._answered.done() and self._fits(data):
            self._answered.set_result(None)

    def _fits(self, data: bytes) -> bool:
        message = DNSIncoming(data)
        wanted = _name(self._record).lower()
        return bool(message.valid) and any(
            isinstance(answer, DNSService) and answer.name.lower() == wanted and answer.port == self._record.port
            for answer in message.answers()
        )
