"""The form of one camera's settings, to and from what is stored."""

from collections.abc import Iterable

from flask_babel import lazy_gettext as lazy
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    FloatField,
    PasswordField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import Optional

from central_server.blueprints import config_words
from central_server.blueprints.forms import NEEDED, options
from central_server.domain import camera_address
from central_server.domain.camera_address import AddressRefused
from common.agent_settings import Problem
from common.camera_settings import DECODERS, CameraConfig, NamedZone, Polygon, corners_in, corners_text
from common.ids import CameraId

_PLAIN = {"autocomplete": "off", "spellcheck": "false"}
FIELDS = {"url": "address", "sub_url": "sub_address"}  # where they differ from the settings' names


class NumberField(FloatField):
    """A number, with a point or a comma, whose mistakes are told in the page's language."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata([each.strip().replace(",", ".") for each in valuelist])
        except ValueError as error:
            raise ValueError(str(config_words.PROBLEMS["number"])) from error


class WholeField(NumberField):
    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata(valuelist)
        if self.data is None or not self.data.is_integer():
            raise ValueError(str(config_words.PROBLEMS["whole"]))
        self.data = int(self.data)


class CameraForm(FlaskForm):
    camera_id = StringField(lazy("Name in the system"), [NEEDED], render_kw=_PLAIN | {"maxlength": 32})
    name = StringField(lazy("Name"), render_kw={"autocomplete": "off", "maxlength": 120})
    zone = StringField(
        lazy("Zone"), render_kw={"autocomplete": "off", "maxlength": 120, "list": "zone-names"}
    )
    address = StringField(lazy("Address"), render_kw=_PLAIN | {"maxlength": 1000, "inputmode": "url"})
    user = StringField(lazy("User name at the camera"), render_kw=_PLAIN | {"maxlength": 120})
    password = PasswordField(
        lazy("Password at the camera"), render_kw={"autocomplete": "new-password", "maxlength": 200}
    )
    sub_address = StringField(lazy("Smaller stream"), render_kw=_PLAIN | {"maxlength": 1000})
    sample_fps = NumberField(lazy("Pictures looked at a second"), [Optional()], default=5.0)
    min_face_px = WholeField(lazy("Smallest face, in pixels"), [Optional()], default=32)
    search_px = WholeField(lazy("Longer side that is searched, in pixels"), [Optional()])
    decode = SelectField(lazy("Decoding"), choices=options((each, each) for each in DECODERS))
    rests = BooleanField(lazy("Rest while nothing moves"))
    identify = BooleanField(lazy("Recognise people"))
    mask = TextAreaField(lazy("Hidden"), render_kw=_PLAIN | {"rows": 3})
    watch = TextAreaField(lazy("Watched"), render_kw=_PLAIN | {"rows": 3})
    zones = TextAreaField(lazy("Named parts"), render_kw=_PLAIN | {"rows": 3})


def filled(camera: CameraConfig | None) -> CameraForm:
    """Return the form of a camera as it is stored; never a password."""
    if camera is None:
        return CameraForm(rests=True, identify=True)
    address = camera_address.shown(camera.url)
    form = CameraForm(
        camera_id=camera.camera_id, name=camera.name, zone=camera.zone, address=address.address,
        user=address.user, sub_address=camera_address.shown(camera.sub_url).address if camera.sub_url else "",
        sample_fps=camera.sample_fps, min_face_px=camera.min_face_px, search_px=camera.search_px,
        decode=camera.decode, rests=camera.rests, identify=camera.identify,
        mask=_lines(camera.mask), watch=_lines(camera.watch),
        zones="\n".join(f"{each.name}: {corners_text(each.polygon)}" for each in camera.zones),
    )  # fmt: skip
    form.camera_id.data, form.camera_id.raw_data = camera.camera_id, [camera.camera_id]  # it is not asked for
    return form


def camera_in(form: CameraForm, before: CameraConfig | None) -> tuple[CameraConfig, list[Problem]]:
    """Return the camera that the form means; before is the stored one, of which secrets are kept.

    Whatever cannot be read is told as a problem whose key ends in the form's field.
    """
    problems: list[Problem] = []
    old_url, old_sub = (before.url, before.sub_url) if before else ("", "")
    url = sub_url = ""
    try:
        url = camera_address.given(
            form.address.data or "", form.user.data or "", form.password.data or "", old_url
        )
        sub_url = camera_address.smaller(form.sub_address.data or "", url, old_sub)
    except AddressRefused as refused:
        problems.append(Problem(refused.field, refused.code, refused.code))
    texts = {name: (getattr(form, name).data or "").strip() for name in ("camera_id", "name", "zone")}
    kept = {} if before is None else {name: getattr(before, name) for name in _NOT_IN_THE_FORM}
    camera = CameraConfig(
        camera_id=CameraId(before.camera_id if before else texts["camera_id"]),
        name=texts["name"] or texts["camera_id"],
        zone=texts["zone"],
        url=url,
        sub_url=sub_url,
        sample_fps=_or(form.sample_fps.data, 5.0),
        min_face_px=int(_or(form.min_face_px.data, 32)),
        search_px=form.search_px.data,
        decode=form.decode.data,
        rests=bool(form.rests.data),
        identify=bool(form.identify.data),
        mask=_polygons(form.mask.data, "mask", problems),
        watch=_polygons(form.watch.data, "watch", problems),
        zones=_zones(form.zones.data, problems),
        **kept,
    )
    return camera, problems


_NOT_IN_THE_FORM = ("loop", "loop_anchor_s", "open_timeout_s", "read_timeout_s")


def put_problems(form: CameraForm, problems: Iterable[Problem]) -> list[str]:
    """Show each problem beside its field; return those that belong to none."""
    left = []
    for problem in problems:
        name = problem.key.rpartition(".")[2]
        field = form._fields.get(FIELDS.get(name, name))
        words = config_words.problem_words(problem)
        if field is None:
            left.append(words)
        elif words not in field.errors:
            field.errors = [*field.errors, words]
    return left


def forget_secrets(form: CameraForm) -> None:
    """Before a form is shown again: no password goes back to the browser, so it has to be typed again."""
    typed = form.address.data or ""
    address = camera_address.bare(typed)
    if form.password.data or address != typed.strip():
        form.password.errors = [*form.password.errors, config_words.PROBLEMS["again"]]
    form.address.data = address


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _lines(polygons: Iterable[Polygon]) -> str:
    return "\n".join(corners_text(each) for each in polygons)


def _polygons(text: str | None, name: str, problems: list[Problem]) -> tuple[Polygon, ...]:
    read = [corners_in(line) for line in (text or "").splitlines() if line.strip()]
    if None in read:
        problems.append(Problem(name, "corners", name))
    return tuple(each for each in read if each)


def _zones(text: str | None, problems: list[Problem]) -> tuple[NamedZone, ...]:
    zones = []
    for line in (text or "").splitlines():
        name, colon, corners = line.rpartition(":")
        if line.strip() and not (colon and name.strip()):
            problems.append(Problem("zones", "zone_name", "zones"))
        elif line.strip() and (polygon := corners_in(corners)):
            zones.append(NamedZone(name.strip(), polygon))
        elif line.strip():
            problems.append(Problem("zones", "corners", "zones"))
    return tuple(zones)
