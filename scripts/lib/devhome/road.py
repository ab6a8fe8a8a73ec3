"""The machines of `scripts/develop --relay`: a home behind nginx, a router, and a machine behind it that nothing reaches."""

from .front import Front
from .home import Home
from .namespaces import INSIDE, Lan
from .provider import COMMAND

_CUT = f"FORWARD -i {INSIDE} -p tcp -j REJECT --reject-with tcp-reset"
"""Senders on the inside learn at once that the connection is gone."""


class Road:
    """The network, and nginx on it. The home is started by `develop`, and the machine's command by a person."""

    def __init__(self, lan: Lan, home: Home) -> None:
        """`home` runs on the host "home"."""
        self._home = home
        self._machine = lan.behind_router("gpu").namespace.name
        self._router = lan.host("router").namespace.name
        self.front = Front(home.folder / "nginx", f"http://127.0.0.1:{home.port}", host=lan.host("home"))

    async def open(self) -> None:
        """Start nginx, and tell Home Assistant its address from outside, which is in the command that it shows."""
        await self.front.start()
        async with self._home.client() as client:
            await client.call("config/core/update", external_url=self.front.url)

    def commands(self) -> dict[str, str]:
        """`connect` offers the built-in model to the home; `cut` breaks the machine's connections, `mend` lets them through."""
        folder = self._home.folder / "machine"
        inside = f"ip netns exec {self._machine} env XDG_STATE_HOME={folder} {COMMAND}"
        router = f"ip netns exec {self._router} iptables"
        return {
            "connect": f"{inside} connect {self.front.url} --pin {self.front.pin} --demo",
            "cut": f"{router} -I {_CUT}",
            "mend": f"{router} -D {_CUT}",
        }

    def steps(self) -> list[str]:
        """What a person does."""
        commands = self.commands()
        return [
            "  A machine behind a router, which nothing in the house can reach, offers its models:",
            "    1. Settings → Devices & services → Add integration → ZeroConf AI → Connect a provider behind a NAT. It shows a",
            "       command and a one-time code.",
            "    2. Run that command on the machine, with the fingerprint of nginx's certificate, and enter the code:",
            f"         {commands['connect']}",
            '    3. Open Assist, choose its assistant, and say "Turn on the kitchen light".',
            '    4. Say "count to 500", cut the link meanwhile, and mend it:',
            f"         {commands['cut']}",
            f"         {commands['mend']}",
            "",
        ]
