"""A camera that speaks enough ONVIF: SOAP over a real HTTP socket, and answers to WS-Discovery over UDP."""

import base64
import hashlib
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GROUP, PORT = "239.255.255.250", 3702
DEVICE, MEDIA = "http://www.onvif.org/ver10/device/wsdl", "http://www.onvif.org/ver10/media/wsdl"
SCHEMA, SOAP = "http://www.onvif.org/ver10/schema", "http://www.w3.org/2003/05/soap-envelope"
OPEN = ("GetSystemDateAndTime",)  # asked without a login
MOST_OFF_S = 30  # between a login's time and the camera's own


@dataclass(frozen=True)
class Stream:
    token: str
    width: int
    height: int
    encoding: str = "H264"
    uri: str = "rtsp://10.9.9.9:8554/Streaming/Channels/101?transportmode=unicast"


STREAMS = (
    Stream("main", 2560, 1440),
    Stream("sub", 704, 576, uri="rtsp://10.9.9.9:8554/Streaming/Channels/102"),
    Stream("third", 320, 240, uri="rtsp://10.9.9.9:8554/Streaming/Channels/103"),
)


@dataclass
class OnvifCamera:
    user: str = "admin"
    password: str = "p@ss:word/1"
    clock_off: timedelta = timedelta(0)
    streams: tuple[Stream, ...] = STREAMS
    has_media: bool = True
    tells_time: bool = True
    name: str = "Main gate"
    answer: bytes | None = None  # instead of everything
    asked: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.clock_off

    def reply(self, request: str) -> tuple[int, bytes]:
        """Return the status and body of the answer to a SOAP request."""
        body = re.search(r"Body[^>]*>\s*<(?:\w+:)?(\w+)", request)
        what = body[1] if body else "?"
        self.asked.append(what)
        if self.answer is not None:
            return 200, self.answer
        if what not in OPEN and not self._knows(request):
            return 400, _fault("ter:NotAuthorized", "Sender not authorized")
        method = getattr(self, f"_{what}", None)
        if method is None:
            return 500, _fault("ter:ActionNotSupported", f"no {what}")
        return 200, _envelope(method(request))

    def _knows(self, request: str) -> bool:
        """Check a UsernameToken as the standard says: SHA-1 of nonce, time and password; and its time."""
        found = {
            name: match[1].strip()
            for name in ("Username", "Password", "Nonce", "Created")
            if (match := re.search(rf"<(?:\w+:)?{name}(?: [^>]*)?>([^<]*)<", request))
        }
        if len(found) < 4 or found["Username"] != self.user:
            return False
        raw = base64.b64decode(found["Nonce"]) + found["Created"].encode() + self.password.encode()
        created = datetime.fromisoformat(found["Created"].replace("Z", "+00:00"))
        is_fresh = abs((created - self.now).total_seconds()) < MOST_OFF_S
        return is_fresh and base64.b64encode(hashlib.sha1(raw).digest()).decode() == found["Password"]

    def _GetSystemDateAndTime(self, _request: str) -> str:
        now = self.now
        time = (
            f"<tt:UTCDateTime><tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
            f"<tt:Second>{now.second}</tt:Second></tt:Time><tt:Date><tt:Year>{now.year}</tt:Year>"
            f"<tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date></tt:UTCDateTime>"
        )
        told = time if self.tells_time else ""
        return (
            "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType>"
            f"<tt:DaylightSavings>false</tt:DaylightSavings>{told}"
            "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
        )

    def _GetServices(self, _request: str) -> str:
        services = {DEVICE: "device_service"} | ({MEDIA: "Media"} if self.has_media else {})
        rows = "".join(
            f"<tds:Service><tds:Namespace>{space}</tds:Namespace><tds:XAddr>http://10.9.9.9/onvif/{path}"
            "</tds:XAddr><tds:Version><tt:Major>2</tt:Major><tt:Minor>0</tt:Minor></tds:Version></tds:Service>"
            for space, path in services.items()
        )
        return f"<tds:GetServicesResponse>{rows}</tds:GetServicesResponse>"

    def _GetDeviceInformation(self, _request: str) -> str:
        return (
            "<tds:GetDeviceInformationResponse><tds:Manufacturer>Acme</tds:Manufacturer><tds:Model>Dome\x1b[31m"
            "</tds:Model><tds:FirmwareVersion>1</tds:FirmwareVersion><tds:SerialNumber>2</tds:SerialNumber>"
            "<tds:HardwareId>3</tds:HardwareId></tds:GetDeviceInformationResponse>"
        ).replace("\x1b", "&#x9b;")

    def _GetProfiles(self, _request: str) -> str:
        rows = "".join(
            f'<trt:Profiles token="{each.token}" fixed="true"><tt:Name>{each.token}</tt:Name>'
            f'<tt:VideoEncoderConfiguration token="e"><tt:Name>e</tt:Name><tt:UseCount>1</tt:UseCount>'
            f"<tt:Encoding>{each.encoding}</tt:Encoding><tt:Resolution><tt:Width>{each.width}</tt:Width>"
            f"<tt:Height>{each.height}</tt:Height></tt:Resolution><tt:Quality>5</tt:Quality>"
            "<tt:RateControl><tt:FrameRateLimit>15</tt:FrameRateLimit><tt:EncodingInterval>1"
            "</tt:EncodingInterval><tt:BitrateLimit>2048</tt:BitrateLimit></tt:RateControl>"
            "</tt:VideoEncoderConfiguration></trt:Profiles>"
            for each in self.streams
        )
        return f"<trt:GetProfilesResponse>{rows}</trt:GetProfilesResponse>"

    def _GetStreamUri(self, request: str) -> str:
        token = re.search(r"ProfileToken>([^<]*)<", request)
        stream = next(each for each in self.streams if token and each.token == token[1])
        uri = stream.uri.replace("&", "&amp;")
        return (
            f"<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>{uri}</tt:Uri><tt:InvalidAfterConnect>false"
            "</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S"
            "</tt:Timeout></trt:MediaUri></trt:GetStreamUriResponse>"
        )

    @contextmanager
    def serving(self, address: str = "127.0.0.1") -> Iterator["OnvifCamera"]:
        """Answer over HTTP at address, at a free port."""
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                camera.hosts.append(self.headers.get("Host", ""))
                request = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                status, body = camera.reply(request)
                self.send_response(status)
                self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """A camera writes no log here."""

        with ThreadingHTTPServer((address, 0), Handler) as server:
            self.port = server.server_port
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    @contextmanager
    def discoverable(self, address: str) -> Iterator["OnvifCamera"]:
        """Answer probes that come by multicast to the interface that has address."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
            heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            heard.bind((GROUP, PORT))
            member = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(address))
            heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            heard.settimeout(0.1)
            stopping = threading.Event()
            thread = threading.Thread(
                target=self._answer_probes, args=(heard, address, stopping), daemon=True
            )
            thread.start()
            try:
                yield self
            finally:
                stopping.set()
                thread.join()

    def _answer_probes(self, heard: socket.socket, address: str, stopping: threading.Event) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.bind((address, 0))
            while not stopping.is_set():
                try:
                    request, who = heard.recvfrom(65_536)
                except TimeoutError:
                    continue
                if asked := re.search(rb"MessageID>([^<]*)<", request):
                    out.sendto(self._probe_match(asked[1].decode(), address), who)

    def _probe_match(self, relates_to: str, address: str) -> bytes:
        name = self.name.replace(" ", "%20")
        return (
            f'<?xml version="1.0"?><s:Envelope xmlns:s="{SOAP}" '
            'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
            'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" '
            'xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header>'
            f"<a:MessageID>urn:uuid:answer-{relates_to[-12:]}</a:MessageID><a:RelatesTo>{relates_to}</a:RelatesTo>"
            "<a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To>"
            "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</a:Action></s:Header><s:Body>"
            "<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:1</a:Address>"
            "</a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types>"
            f"<d:Scopes>onvif://www.onvif.org/name/{name} onvif://www.onvif.org/type/video_encoder</d:Scopes>"
            f"<d:XAddrs>http://10.9.9.9/onvif/device_service http://{address}:{self.port}/onvif/device_service"
            "</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches></s:Body>"
            "</s:Envelope>"
        ).encode()


def _envelope(body: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}" xmlns:tds="{DEVICE}" '
        f'xmlns:trt="{MEDIA}" xmlns:tt="{SCHEMA}" xmlns:ter="http://www.onvif.org/ver10/error">'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def _fault(subcode: str, words: str) -> bytes:
    return _envelope(
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>"
        f"{subcode}</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang='en'>{words}</s:Text></s:Reason>"
        "</s:Fault>"
    )
