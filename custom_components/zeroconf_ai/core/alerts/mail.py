"""`Mail`: sends alerts by e-mail, over the SMTP server of the owner."""

import asyncio
from email.message import EmailMessage
from email.utils import formatdate
import smtplib
import ssl
from typing import override

from ..config.alert_fields import SmtpSettings
from .alert import Alert
from .dispatcher import AlertError, Sender

_SECONDS = 10.0


class Mail(Sender):
    """E-mail to one address."""

    def __init__(self, server: SmtpSettings, address: str) -> None:
        """`address` is one for which `alert_fields.is_mail_address` is true."""
        self._server = server
        self._address = address

    @property
    @override
    def name(self) -> str:
        return self._address

    @override
    async def send(self, alert: Alert) -> None:
        try:
            await asyncio.to_thread(self._deliver, alert)
        except smtplib.SMTPException as err:
            raise AlertError(f"the mail server refused it ({type(err).__name__})") from None
        except OSError as err:
            raise AlertError(f"no connection to the mail server ({type(err).__name__})") from None

    def _deliver(self, alert: Alert) -> None:
        server = self._server
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = alert.title, server.sender or self._address, self._address
        message["Date"], message["Auto-Submitted"] = formatdate(), "auto-generated"
        message.set_content(alert.text() + "\n")
        context = ssl.create_default_context()
        # The library would ask the DNS for this machine's name, which takes long where there is no answer.
        greeting = (server.sender or self._address).rpartition("@")[2]
        if server.security == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, greeting, timeout=_SECONDS, context=context)
        else:
            connection = smtplib.SMTP(server.host, server.port, greeting, timeout=_SECONDS)
        with connection:
            if server.security == "starttls":
                connection.starttls(context=context)
            if server.user is not None:
                connection.login(server.user, server.password or "")
            connection.send_message(message)
