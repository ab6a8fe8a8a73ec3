"""The sentences of `zeroconf-ai doctor`: each finding and its remedy. Values are inserted by name."""

from collections.abc import Mapping
from typing import Final, NamedTuple

_MULTICAST: Final = "multicast (224.0.0.251 and ff02::fb, UDP port 5353)"
_BY_ADDRESS: Final = (
    "Until then, use the provider's address: --provider http://HOST:PORT, or add it by its address in Home Assistant."
)


class Sentence(NamedTuple):
    """A finding in words."""

    text: str
    advice: str = ""


HEADINGS: Final[Mapping[str, str]] = {
    "network": "Network",
    "firewall": "Firewall",
    "providers": "Providers",
    "machine": "This machine",
}

SENTENCES: Final[Mapping[str, Mapping[str, Sentence]]] = {
    "network": {
        "no_network": Sentence("This machine has no network connection.", "Check the cable or the Wi-Fi."),
        "container": Sentence(
            "This container has a separate network ({address}), which multicast from the home network does not reach.",
            "Start the container with the host's network: --network host, or network_mode: host in compose.yaml.",
        ),
        "error": Sentence(
            "{interface}: nothing can be sent: {reason}.",
            "Allow UDP port 5353 in both directions in the firewall of this machine, or check the interface with `ip address`.",
        ),
        "heard": Sentence("{interface}: other devices are heard ({count}, with {packets} packets). Multicast works here."),
        "tunnel": Sentence(
            "{interface}: nothing is heard, as usual for a VPN, which carries no multicast.",
            "Use providers behind it by their address.",
        ),
        "not_sent": Sentence(
            "{interface}: not even the packets of this machine come back.",
            "A firewall on this machine drops them: allow UDP port 5353 in both directions.",
        ),
        "silent": Sentence(
            "{interface}: nothing was heard from other devices in {seconds} seconds.",
            f"The network may hold back {_MULTICAST}: look for client isolation (AP isolation, guest network) and IGMP snooping"
            " in the settings of the router, the Wi-Fi and the switches. Another subnet needs a router that repeats mDNS.",
        ),
        "services": Sentence("Services of other devices: {names}."),
        "no_provider": Sentence(
            "Other devices are heard ({count}), but no device advertises a provider.",
            "Start one: `zeroconf-ai serve` on the machine with the models. If it runs, run `zeroconf-ai doctor` there.",
        ),
        "no_announcement": Sentence("No advertisement of a provider was received.", _BY_ADDRESS),
        "interface_down": Sentence(
            "{interface}: the interface is switched off.", "Switch it on: sudo ip link set {interface} up"
        ),
        "no_multicast": Sentence(
            "{interface}: the interface carries no multicast, so nothing is found through it.",
            "Switch it on: sudo ip link set {interface} multicast on",
        ),
        "port_busy": Sentence(
            "Another program keeps UDP port 5353 for itself ({programs}).",
            "Stop it, or let it share the port; `sudo ss -ulpn 'sport = 5353'` names it.",
        ),
        "port_shared": Sentence("Other programs use multicast DNS beside this one: {programs}."),
        "no_ipv4": Sentence(
            "This machine has no IPv4 address.",
            "Providers that have only IPv4 addresses cannot be reached from here. Check DHCP.",
        ),
        "no_lease": Sentence(
            "{interface}: the address {address} was not given by a router.",
            "The DHCP server did not answer. Check the cable or the Wi-Fi, and restart the router.",
        ),
        "wireless": Sentence(
            "{interface} is a Wi-Fi.",
            "Many routers isolate Wi-Fi devices, guest networks always do. Use the main Wi-Fi or a cable, or turn off isolation.",
        ),
        "unicast_only": Sentence(
            "{interface}: {count} other devices have answered there, so only multicast is held back.",
            "Switch off IGMP snooping, or switch on an IGMP querier, in the switch or the Wi-Fi access point.",
        ),
        "wsl": Sentence(
            "This is Linux in Windows (WSL 2), which usually has a separate network.",
            "Set networkingMode=mirrored below [wsl2] in %UserProfile%\\.wslconfig and run `wsl --shutdown`, or use Windows.",
        ),
        "kubernetes": Sentence(
            "This is a pod, whose network multicast does not reach.", "Set hostNetwork: true in its specification."
        ),
        "vpn": Sentence(
            "All traffic goes through the VPN {interface}.",
            "If nothing is found, allow local network access (also called split tunnel, LAN access) in the settings of the VPN.",
        ),
        "macos_permission": Sentence(
            "macOS asks each program for access to the local network.",
            "Allow it for your terminal: System Settings > Privacy & Security > Local Network.",
        ),
    },
    "firewall": {
        "mdns_blocked_in": Sentence("{program} drops incoming packets of multicast DNS.", "Allow them: {command}"),
        "mdns_blocked_out": Sentence("{program} drops outgoing packets of multicast DNS.", "Allow them: {command}"),
        "serve_blocked": Sentence(
            "{program} drops connections to port {port}, on which `zeroconf-ai serve` listens.", "Allow them: {command}"
        ),
        "unreadable": Sentence("The rules of {programs} can be read by root only.", "Check them too: sudo zeroconf-ai doctor"),
        "active": Sentence("{programs} is switched on; no rule that could be read drops multicast DNS."),
        "no_block": Sentence("No rule drops multicast DNS."),
    },
    "providers": {
        "none": Sentence(
            "No provider was found.", "Servers that advertise nothing, such as Ollama, are found by: zeroconf-ai discover --scan"
        ),
        "healthy": Sentence("{name} at {url} answers within {milliseconds} ms; heard on {where}."),
        "degraded": Sentence(
            "{name} at {url} answers within {milliseconds} ms, and says that it is degraded; heard on {where}.",
            "It may be busy, or some of its own providers do not answer: look at its page or its log.",
        ),
        "needs_key": Sentence(
            "{name} at {url} answers and requires an API key; heard on {where}.",
            "Use it with --key, or ZEROCONF_AI_KEY. Its owner creates one: zeroconf-ai keys create NAME",
        ),
        "needs_certificate": Sentence(
            "{name} at {url} answers and requires a client certificate; heard on {where}.",
            "Get one: zeroconf-ai enroll with this address. Its owner makes a one-time code for that: zeroconf-ai clients code",
        ),
        "changed": Sentence(
            "{name} at {url} has another identity than when it was first used, so it is not used.",
            "If its owner replaced it, pass --trust once to `zeroconf-ai chat`. Otherwise another program uses its name.",
        ),
        "moved": Sentence(
            "{name} is now advertised at {url}, which was not confirmed, so no API key is sent there.",
            "If its owner moved it, pass --trust once to `zeroconf-ai chat`.",
        ),
        "unreachable": Sentence(
            "{name} is advertised at {url}, but accepts no connection: {reason}.",
            "On its machine, allow its port in the firewall, and check that it listens on the network (not on 127.0.0.1 only)."
            " If it was switched off, its advertisement ends within two hours.",
        ),
        "no_answer": Sentence(
            "{name} at {url} accepts connections, but does not answer as a provider: {reason}.",
            "Look at its log. An error of the certificate needs a new certificate there, or the address without https.",
        ),
        "addresses": Sentence(
            "{name} cannot be reached at {addresses}; another of its addresses works.",
            "No action is needed, unless clients in another subnet need that address.",
        ),
    },
    "machine": {
        "no_serve": Sentence(
            "`zeroconf-ai serve` does not run here for this user.",
            "Start it to share the models of this machine: zeroconf-ai serve",
        ),
        "serve_other": Sentence("{name} at {url} runs on this machine, for another user or as a service, and is seen."),
        "serve_seen": Sentence("`zeroconf-ai serve` is advertised as {name} at {url}, and its advertisement is seen."),
        "serve_unseen": Sentence(
            "`zeroconf-ai serve` runs, but its advertisement is not seen here.",
            "It was started with --no-advertise, listens on 127.0.0.1 only, or could not advertise itself: see its first lines.",
        ),
        "serve_unheard": Sentence(
            "`zeroconf-ai serve` ({name}) runs on this machine, but no network interface sends its advertisement.",
            "See the hints on the network above.",
        ),
        "loopback": Sentence(
            "{title} runs at {url}, and listens on this machine only, as it does by default.",
            "Share it with `zeroconf-ai serve`, which adds API keys and an advertisement. To share it without keys, {listen}.",
        ),
        "open_engine": Sentence("{title} runs at {url}; the network reaches it at {address}, port {port}."),
        "stranger": Sentence(
            "On port {port} of {title}, another program answers, or a server that lists no models without an API key.",
            "Set its address yourself: zeroconf-ai serve --upstream TYPE=http://127.0.0.1:{port}",
        ),
    },
}

LISTEN: Final[Mapping[str, str]] = {
    "ollama": "set OLLAMA_HOST=0.0.0.0 for its service",
    "lmstudio": "switch on *Serve on Local Network* in its server settings",
    "llamacpp": "start it with --host 0.0.0.0",
    "localai": "start it with --address 0.0.0.0:8080",
    "vllm": "start it with --host 0.0.0.0",
    "litellm": "start it with --host 0.0.0.0",
    "jan": "set the host 0.0.0.0 in its local API server",
    "llamaswap": "start it with --listen 0.0.0.0:8080",
    "sglang": "start it with --host 0.0.0.0",
    "tabbyapi": "set host: 0.0.0.0 below network: in its config.yml",
    "text_generation_webui": "start it with --listen",
    "koboldcpp": "start it with --host 0.0.0.0",
    "gpt4all": "share it with zeroconf-ai serve: it cannot listen on the network itself",
}
"""How to make each server listen on all interfaces."""


_ALLOW: Final[Mapping[str, str]] = {
    "ufw": "sudo ufw allow {direction} {port}/{protocol}",
    "firewalld": "sudo firewall-cmd --permanent --add-port={port}/{protocol} && sudo firewall-cmd --reload",
    "nftables": "sudo nft insert rule inet filter {direction}put {protocol} dport {port} accept",
    "iptables": "sudo iptables -I {chain} -p {protocol} --dport {port} -j ACCEPT",
    "ip6tables": "sudo ip6tables -I {chain} -p {protocol} --dport {port} -j ACCEPT",
}
"""The command that allows a port."""


def sentence(section: str, code: str, values: Mapping[str, str | int]) -> Sentence:
    """A finding in words."""
    found = SENTENCES[section][code]
    more: dict[str, str] = {}
    if "direction" in values:
        chain = "INPUT" if values["direction"] == "in" else "OUTPUT"
        more["command"] = _ALLOW[str(values["program"])].format(**values, chain=chain)
    if "engine" in values:
        more["listen"] = LISTEN[str(values["engine"])]
    return Sentence(found.text.format(**values, **more), found.advice.format(**values, **more))
