"""Types of options that say who may use a server without an API key."""

from ipaddress import ip_network
from typing import Any, override

import click

from ..lan.neighbours import parse_mac
from ..server.access.cors import Origins


class Network(click.ParamType[str]):
    """A network as CIDR."""

    name = "network"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(ip_network(value, strict=False))
        except ValueError:
            self.fail(f"{value!r} is not a network. Use CIDR notation, such as 192.168.1.0/24.", param, ctx)


class Mac(click.ParamType[str]):
    """The MAC address of a device."""

    name = "mac"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return parse_mac(value)
        except ValueError as err:
            self.fail(f"{err}.", param, ctx)


class Origin(click.ParamType[str]):
    """A web page's origin, or `*`."""

    name = "origin"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            Origins((value,))
        except ValueError as err:
            self.fail(f"{err}.", param, ctx)
        return str(value)
