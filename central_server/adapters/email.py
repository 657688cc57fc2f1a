"""E-mail over SMTP, with attachments. Every failure is translated here, once."""

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from pathlib import Path

from central_server.config import EmailConfig
from central_server.domain.delivery import Ambiguous, Failed, Message, Outcome, Retry, Sent
from central_server.domain.delivery_errors import ErrorClass
from central_server.domain.messages import flat


@dataclass(frozen=True, slots=True)
class SMTPSender:
    """Sender over SMTP. security: starttls and ssl check the server's certificate; none is for loopback."""

    config: EmailConfig = field(repr=False)
    timeout_s: float = 30.0
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)

    def send(self, message: Message) -> Outcome:
        """Send message once. The same notification always has the same Message-ID."""
        try:
            letter = letter_of(message, self.config.sender)
        except OSError as error:
            return Failed(ErrorClass.BUG, "no_file", f"cannot read an attachment: {error.strerror}")
        except ValueError as error:  # no address that e-mail allows
            return Failed(ErrorClass.RECIPIENT, "address", str(error)[:400])
        try:
            server = self._connect()
        except smtplib.SMTPAuthenticationError as error:
            return self._refused(error.smtp_code, error.smtp_error, ErrorClass.CHANNEL)
        except smtplib.SMTPNotSupportedError as error:  # no STARTTLS: a password never goes in the clear
            return Failed(ErrorClass.CHANNEL, "not_supported", str(error)[:400])
        except ssl.SSLCertVerificationError as error:
            return Failed(ErrorClass.CHANNEL, "certificate", error.verify_message[:400])
        except (smtplib.SMTPException, OSError) as error:
            return Retry("network", f"{type(error).__name__}: {error}"[:400])
        try:
            return self._hand_over(server, letter, parseaddr(message.recipient)[1])
        finally:  # how the parting goes says nothing about the letter
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()

    def _connect(self) -> smtplib.SMTP:
        config = self.config
        if config.security == "ssl":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                config.host, config.port, timeout=self.timeout_s, context=self.tls
            )
        else:
            server = smtplib.SMTP(config.host, config.port, timeout=self.timeout_s)
        try:
            if config.security == "starttls":
                server.starttls(context=self.tls)
            if config.username:
                server.login(config.username, config.password)
        except BaseException:
            server.close()
            raise
        return server

    def _hand_over(self, server: smtplib.SMTP, letter: EmailMessage, recipient: str) -> Outcome:
        try:
            server.ehlo_or_helo_if_needed()
            for blame, (code, words) in (
                (ErrorClass.CHANNEL, server.mail(parseaddr(self.config.sender)[1])),
                (ErrorClass.RECIPIENT, server.rcpt(recipient)),
            ):
                if code >= 400:
                    return self._refused(code, words, blame)
        except (smtplib.SMTPException, OSError) as error:
            return Retry("network", f"{type(error).__name__}: {error}"[:400])
        try:
            code, words = server.data(letter.as_bytes(policy=SMTP))
        except smtplib.SMTPDataError as error:  # refused before the text went out
            return self._refused(error.smtp_code, error.smtp_error, ErrorClass.RECIPIENT)
        except (smtplib.SMTPException, OSError) as error:
            return Ambiguous("no_answer", f"{type(error).__name__}: {error}"[:400])
        if code >= 400:
            return self._refused(code, words, ErrorClass.RECIPIENT)
        return Sent(str(letter["Message-ID"]))

    @staticmethod
    def _refused(code: int, words: bytes | str, blame: ErrorClass) -> Outcome:
        text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
        if 400 <= code < 500:  # the server says: later
            return Retry(str(code), text[:400])
        return Failed(blame, str(code), text[:400])


def letter_of(message: Message, sender: str) -> EmailMessage:
    """Return message as an e-mail. Raises ValueError for a bad address, OSError for a missing attachment."""
    letter = EmailMessage()
    letter["From"] = _address(sender)
    letter["To"] = _address(message.recipient)
    letter["Subject"] = flat(message.payload["subject"])
    letter["Message-ID"] = f"<{message.notification_id}@{_address(sender).domain}>"
    letter["Date"] = datetime.now(UTC)
    letter["Auto-Submitted"] = "auto-generated"  # no out-of-office replies, please
    letter.set_content(message.payload["text"])
    for attachment in message.payload.get("attachments", []):
        main, _, sub = attachment["mime"].partition("/")
        content = Path(attachment["path"]).read_bytes()
        letter.add_attachment(content, maintype=main, subtype=sub, filename=attachment["filename"])
    return letter


def _address(text: str) -> Address:
    name, bare = parseaddr(text)
    local, at, domain = bare.partition("@")
    if not (text.isprintable() and bare.isascii() and local and at and domain and "@" not in domain):
        raise ValueError(f"not an e-mail address: {text!r}")
    return Address(display_name=name, addr_spec=bare)
