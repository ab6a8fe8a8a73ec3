"""nginx in front of a home, on the same host: it speaks TLS, and cuts connections that are silent for a minute."""

from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
import shutil

from zeroconf_ai.server.tls.certificates import Hosts, key_to_pem, make_authority, make_server, to_pem
from zeroconf_ai.server.tls.identity_files import fingerprint

from . import DevHomeError
from .client import status_of
from .namespaces import Host
from .process import ManagedProcess

START_TIMEOUT = 30.0
PORT = 8443
_NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
_CONFIGURATION = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; user root;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 32m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
  server {{
    listen {port} ssl; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {{
      proxy_pass {upstream}; proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 60s;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; proxy_set_header Host $host;
    }}
  }}
}}
"""


class Front:
    """The proxy, with a certificate of its own authority: clients pin it."""

    def __init__(self, folder: Path, upstream: str, *, host: Host) -> None:
        """`upstream` is the home's address, such as http://127.0.0.1:8123."""
        if _NGINX is None:
            raise DevHomeError("nginx is not installed: scripts/setup names the package")
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        now, hosts = datetime.now(UTC), Hosts.of([], [IPv4Address(host.ipv4)])
        authority = make_authority("Development", hosts, now)
        made = make_server("Development", hosts, authority, now)
        self.url = f"https://{host.ipv4}:{PORT}"
        self.pin = fingerprint(made.certificate)
        (folder / "cert.pem").write_bytes(to_pem([made.certificate, authority.certificate]))
        (folder / "key.pem").write_bytes(key_to_pem(made.key))
        configuration = folder / "nginx.conf"
        configuration.write_text(_CONFIGURATION.format(folder=folder, port=PORT, upstream=upstream), encoding="utf-8")
        command = (_NGINX, "-c", str(configuration), "-p", str(folder))
        self.process = ManagedProcess("nginx", command, folder / "nginx.log", host=host)

    async def start(self) -> None:
        """Start it and wait until it answers. Raises DevHomeError if it does not."""
        self.process.start()
        try:
            await self.process.until(self._answers, START_TIMEOUT)
        except BaseException:
            self.process.kill()
            raise

    async def stop(self) -> int | None:
        """Stop it. Safe to call twice."""
        return await self.process.stop()

    async def _answers(self) -> bool:
        return await status_of(self.url) is not None
