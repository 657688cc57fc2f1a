"""python -m central_server.sandbox: run the WhatsApp sandbox on this machine."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from werkzeug.serving import make_server

from central_server.sandbox.app import create_sandbox
from central_server.sandbox.settings import Settings


def arguments() -> argparse.ArgumentParser:
    env = os.environ.get
    parser = argparse.ArgumentParser(prog="python -m central_server.sandbox", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=8090)
    add("--home", type=Path, default=Path("var/sandbox"), help="folder where the chats are kept")
    add("--callback", default="", metavar="URL", help="our webhook, …/webhooks/whatsapp")
    add("--phone-number-id", default=env("WHATSAPP_PHONE_NUMBER_ID", "100000000000001"))
    add("--token", default=env("WHATSAPP_TOKEN", "sandbox-token"))
    add("--app-secret", default=env("WHATSAPP_APP_SECRET", "sandbox-secret"))
    add("--verify-token", default=env("WHATSAPP_VERIFY_TOKEN", "sandbox-verify"))
    add("--contact", action="append", default=[], metavar="PHONE=NAME", help="show this person's phone")
    add("--open-windows", default="", metavar="PHONES", help="these phones say hello first, with commas")
    add("--recipients", default="", metavar="PHONES", help="only these may be written to, with commas")
    add("--no-read", action="store_true", help="nobody reads: messages stay delivered")
    return parser


def phones(text: str) -> list[str]:
    return [digits for part in text.split(",") if (digits := "".join(filter(str.isdigit, part)))]


def main() -> int:
    wanted = arguments().parse_args()
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    settings = Settings(
        phone_number_id=wanted.phone_number_id,
        token=wanted.token,
        app_secret=wanted.app_secret,
        verify_token=wanted.verify_token,
        callback=wanted.callback,
        allowed=frozenset(phones(wanted.recipients)),
        read_after_s=-1.0 if wanted.no_read else 4.0,
    )
    app = create_sandbox(wanted.home, settings)
    sandbox = app.extensions["sandbox"]
    for contact in wanted.contact:
        phone, _, name = contact.partition("=")
        sandbox.network.store.name_contact(phones(phone)[0], name)
    for phone in phones(wanted.open_windows):
        sandbox.network.open_window(phone)
    server = make_server(wanted.host, wanted.port, app, threaded=True)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    print(f"WhatsApp sandbox on http://{wanted.host}:{server.port}/", file=sys.stderr, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        sandbox.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
