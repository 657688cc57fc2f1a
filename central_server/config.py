"""The server's settings: typed, read once, every mistake reported at once. docs/settings.md explains each."""

import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from ipaddress import ip_network
from pathlib import Path

from central_server.domain.attendance import OvertimeRule
from common.pairing import certificate_in
from common.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerConfig:
    host: str
    port: int
    username: str
    password: str
    ca_file: str  # empty: no TLS, which is for loopback only
    public_host: str  # what a joining agent is told
    public_port: int
    public_ca_file: str  # whom a joining agent shall trust; empty: it speaks without TLS
    accounts_dir: Path | None  # where the password and ACL files are kept; None: there is no embedded broker
    admin_username: str
    admin_password: str  # of mosquitto's dynamic security; empty: the broker has none
    protocol: str  # 5 | 311
    autosave_s: int  # how often the embedded mosquitto writes down what it holds


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppConfig:
    base_url: str  # https://graph.facebook.com in production; the sandbox's in the demo
    api_version: str
    phone_number_id: str  # empty: WhatsApp is off
    token: str
    app_secret: str
    verify_token: str
    alert_template: str
    report_template: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailConfig:
    host: str  # empty: e-mail is off
    port: int
    security: str  # starttls | ssl | none
    username: str
    password: str
    sender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HRISConfig:
    webhook_url: str  # empty: no push
    webhook_secret: str  # whsec_<base64>


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesConfig:
    unseen_after: timedelta
    late_news: timedelta  # an event older than this on arrival corrects the record but is no news
    alert_expiry: timedelta
    day_cutoff: time  # where the business date turns for people without a shift
    overtime: OvertimeRule  # what time outside the shift is worth
    snapshot_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    home: Path
    database_url: str
    secret_key: str
    base_url: str
    web_host: str
    web_port: int
    web_cert_file: str  # empty: plain HTTP, for loopback or behind a proxy that speaks TLS
    web_key_file: str
    web_ca_file: str  # the company's own CA, if one vouches for the address; empty: a public one does
    trusted_proxies: tuple[str, ...]  # networks whose word on a client's address counts
    cookie_secure: bool
    language: str
    timezone: str  # of a site made without one
    tick_s: float
    log_level: str
    sandbox_url: str  # page of the WhatsApp sandbox, shown in the demo's dashboard
    rules: RulesConfig
    broker: BrokerConfig
    whatsapp: WhatsAppConfig
    email: EmailConfig
    hris: HRISConfig

    def secrets(self) -> tuple[str, ...]:
        """Everything that must never be logged."""
        return (
            self.secret_key,
            self.broker.password,
            self.broker.admin_password,
            self.whatsapp.token,
            self.whatsapp.app_secret,
            self.email.password,
            self.hris.webhook_secret,
        )


def read_server_config(environment: Mapping[str, str]) -> ServerConfig:
    """Return the configuration, or raise SettingsError naming everything wrong with it."""
    settings = Settings(environment)
    home = settings.path("HADIR_HOME", default=Path("var/server")).resolve()
    config = ServerConfig(
        home=home,
        database_url=settings.text("DATABASE_URL", default=f"sqlite:///{home / 'hadir.db'}"),
        secret_key=settings.text("HADIR_SECRET_KEY", default="")
        or _kept_secret(settings, home / "secret_key"),
        base_url=settings.text("HADIR_BASE_URL", default="http://127.0.0.1:8080").rstrip("/"),
        web_host=settings.text("HADIR_WEB_HOST", default="127.0.0.1"),
        web_port=settings.whole("HADIR_WEB_PORT", default=8080, low=1, high=65535),
        web_cert_file=settings.text("HADIR_WEB_CERT_FILE", default=""),
        web_key_file=settings.text("HADIR_WEB_KEY_FILE", default=""),
        web_ca_file=_own_ca(settings),
        trusted_proxies=_networks(settings, "HADIR_TRUSTED_PROXIES"),
        cookie_secure=settings.flag("HADIR_COOKIE_SECURE", default=True),
        language=settings.choice("HADIR_LANGUAGE", default="id", among=("id", "en")),
        timezone=settings.timezone("HADIR_TIMEZONE", default="Asia/Jakarta"),
        tick_s=settings.number("HADIR_TICK_S", default=5, low=0.2, high=60),
        log_level=settings.choice(
            "HADIR_LOG_LEVEL", default="INFO", among=("DEBUG", "INFO", "WARNING", "ERROR")
        ),
        sandbox_url=settings.text("HADIR_SANDBOX_URL", default=""),
        rules=_rules(settings),
        broker=_broker(settings),
        whatsapp=_whatsapp(settings),
        email=_email(settings),
        hris=_hris(settings),
    )
    settings.problems += _contradictions(config)
    settings.raise_problems()
    return config


def _own_ca(settings: Settings) -> str:
    """Return the file of the CA that agents are told to trust for the web address, or nothing."""
    serves_tls = settings.text("HADIR_WEB_CERT_FILE", default="")
    same = _public_ca(settings) if serves_tls else ""
    named = settings.text("HADIR_WEB_CA_FILE", default=same)
    if named in ("", "public"):
        return ""
    try:
        certificate_in(Path(named).read_text())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        settings.problems.append(f"HADIR_WEB_CA_FILE: {named} cannot be used ({why})")
    return named


def _public_ca(settings: Settings) -> str:
    """Return the file of the CA that agents are told to trust for the broker, or nothing."""
    return settings.text(
        "HADIR_BROKER_PUBLIC_CA_FILE", default=settings.text("HADIR_BROKER_CA_FILE", default="")
    )


def _networks(settings: Settings, name: str) -> tuple[str, ...]:
    """Return the networks of a list like 10.0.0.7, 10.1.0.0/16."""
    named = tuple(filter(None, settings.text(name, default="").replace(",", " ").split()))
    for each in named:
        try:
            ip_network(each)
        except ValueError:
            settings.problems.append(f"{name}: {each!r} is not an IP address or network")
    return named


def _contradictions(config: ServerConfig) -> Iterator[str]:
    """Settings that are each right, and wrong together."""
    cert, key = config.web_cert_file, config.web_key_file
    if bool(cert) != bool(key):
        yield "HADIR_WEB_CERT_FILE and HADIR_WEB_KEY_FILE belong together: set both, or neither"
    for name, path in (("HADIR_WEB_CERT_FILE", cert), ("HADIR_WEB_KEY_FILE", key)):
        if path and not os.access(path, os.R_OK):
            yield f"{name}: {path} cannot be read by this user"
    if cert and not config.base_url.startswith("https://"):
        yield "HADIR_BASE_URL must begin with https:// when HADIR_WEB_CERT_FILE is set"
    if config.broker.accounts_dir or config.broker.admin_password:
        ours = {"HADIR_BROKER_USER": config.broker.username}
        if config.broker.admin_password:
            ours["HADIR_BROKER_ADMIN_USER"] = config.broker.admin_username
        for name, user in ours.items():
            if not user.startswith("hadir"):  # else a box of that name would be given the account
                yield f"{name} must begin with hadir, which no agent's name does, not be {user!r}"
    if config.broker.accounts_dir and config.broker.admin_password:
        yield (
            "HADIR_BROKER_ACCOUNTS_DIR is for the broker that Hadir runs itself, HADIR_BROKER_ADMIN_PASSWORD "
            "for one that deploy/broker/install.sh made: set only one of them"
        )


def _rules(settings: Settings) -> RulesConfig:
    return RulesConfig(
        unseen_after=timedelta(
            seconds=settings.number("HADIR_UNSEEN_AFTER_S", default=300, low=5, high=86400)
        ),
        late_news=timedelta(seconds=settings.number("HADIR_LATE_NEWS_S", default=600, low=10, high=86400)),
        alert_expiry=timedelta(
            seconds=settings.number("HADIR_ALERT_EXPIRY_S", default=900, low=60, high=86400)
        ),
        day_cutoff=time(hour=settings.whole("HADIR_DAY_CUTOFF_HOUR", default=4, low=0, high=12)),
        overtime=OvertimeRule(
            settings.choice("HADIR_OVERTIME", default="approved", among=tuple(OvertimeRule))
        ),
        snapshot_days=settings.whole("HADIR_SNAPSHOT_DAYS", default=30, low=0, high=30),
    )


def _broker(settings: Settings) -> BrokerConfig:
    host = settings.text("HADIR_BROKER_HOST", default="127.0.0.1")
    port = settings.whole("HADIR_BROKER_PORT", default=1883, low=1, high=65535)
    accounts = settings.text("HADIR_BROKER_ACCOUNTS_DIR", default="")
    ca_file = settings.text("HADIR_BROKER_CA_FILE", default="")
    return BrokerConfig(
        host=host,
        port=port,
        username=settings.text("HADIR_BROKER_USER", default="hadir-server"),
        password=settings.text("HADIR_BROKER_PASSWORD", default=""),
        ca_file=ca_file,
        public_host=settings.text("HADIR_BROKER_PUBLIC_HOST", default=host),
        public_port=settings.whole("HADIR_BROKER_PUBLIC_PORT", default=port, low=1, high=65535),
        public_ca_file=_public_ca(settings),
        accounts_dir=Path(accounts) if accounts else None,
        admin_username=settings.text("HADIR_BROKER_ADMIN_USER", default="hadir-admin"),
        admin_password=settings.text("HADIR_BROKER_ADMIN_PASSWORD", default=""),
        protocol=settings.choice("HADIR_BROKER_PROTOCOL", default="5", among=("5", "311")),
        autosave_s=settings.whole("HADIR_BROKER_AUTOSAVE_S", default=30, low=1, high=86400),
    )


def _whatsapp(settings: Settings) -> WhatsAppConfig:
    number = settings.text("WHATSAPP_PHONE_NUMBER_ID", default="")
    needed = None if number else ""  # with a number, the rest must be there too
    return WhatsAppConfig(
        base_url=settings.text("WHATSAPP_BASE_URL", default="https://graph.facebook.com").rstrip("/"),
        api_version=settings.text("WHATSAPP_API_VERSION", default="v25.0"),
        phone_number_id=number,
        token=settings.text("WHATSAPP_TOKEN", default=needed, hint="the system user's access token"),
        app_secret=settings.text("WHATSAPP_APP_SECRET", default=needed, hint="signs Meta's callbacks"),
        verify_token=settings.text("WHATSAPP_VERIFY_TOKEN", default=needed, hint="any long random text"),
        alert_template=settings.text("WHATSAPP_ALERT_TEMPLATE", default="out_of_area_v1"),
        report_template=settings.text("WHATSAPP_REPORT_TEMPLATE", default="daily_report_v1"),
        language=settings.text("WHATSAPP_TEMPLATE_LANGUAGE", default="en"),
    )


def _email(settings: Settings) -> EmailConfig:
    host = settings.text("SMTP_HOST", default="")
    return EmailConfig(
        host=host,
        port=settings.whole("SMTP_PORT", default=587, low=1, high=65535),
        security=settings.choice("SMTP_SECURITY", default="starttls", among=("starttls", "ssl", "none")),
        username=settings.text("SMTP_USER", default=""),
        password=settings.text("SMTP_PASSWORD", default=""),
        sender=settings.text("SMTP_FROM", default=None if host else "", hint="the sender's address"),
    )


def _hris(settings: Settings) -> HRISConfig:
    url = settings.text("HRIS_WEBHOOK_URL", default="")
    return HRISConfig(
        webhook_url=url,
        webhook_secret=settings.text(
            "HRIS_WEBHOOK_SECRET", default=None if url else "", hint="whsec_ and the key in base64"
        ),
    )


def _kept_secret(settings: Settings, path: Path) -> str:
    """Return the secret kept at path; the first time, make one that only its owner can read."""
    try:
        if path.exists():
            return path.read_text().strip()
        secret = secrets.token_urlsafe(32)
        if not path.parent.is_dir():
            return secret  # nothing is kept here yet, and a command that only looks shall not begin it
        path.touch(mode=0o600)
        path.write_text(secret)
        return secret
    except OSError as error:
        settings.problems.append(f"HADIR_HOME: {path.parent} cannot be used ({error.strerror})")
        return ""
