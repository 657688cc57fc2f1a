"""Words that people in Indonesia type into a table, and the one spelling that is kept and exported."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "site_id": ("kode_lokasi", "lokasi", "cabang", "site", "kode"),
    "zone_id": ("kode_zona", "zona", "zone", "kode"),
    "zones": ("zona",),
    "employee_id": ("nik", "kode_karyawan", "kode_pegawai", "id_karyawan", "code", "kode"),
    "supervisor_id": ("nik_atasan", "kode_atasan", "atasan", "supervisor"),
    "name": ("nama", "nama_lengkap", "nama_karyawan"),
    "department": ("bagian", "departemen", "divisi"),
    "role": ("jabatan", "posisi"),
    "phone": ("telepon", "no_telepon", "hp", "no_hp", "no._hp", "nomor_hp", "whatsapp", "wa"),
    "email": ("surel", "e_mail"),
    "started_on": ("mulai_kerja", "tanggal_masuk", "tgl_masuk", "mulai_bekerja"),
    "resigned_on": ("tanggal_keluar", "tgl_keluar"),
    "is_watched": ("dipantau",),
    "timezone": ("zona_waktu",),
    "report_at": ("jam_laporan",),
    "threshold_s": ("batas_detik",),
    "is_public": ("umum",),
    "is_entrance": ("pintu_masuk",),
    "level": ("tingkat",),
    "kind": ("jenis", "jenis_cuti"),
    "first_on": ("mulai", "tanggal_mulai", "tgl_mulai", "dari", "tanggal"),
    "last_on": ("selesai", "tanggal_selesai", "tgl_selesai", "sampai"),
    "day": ("tanggal", "tgl"),
    "note": ("catatan", "keterangan"),
    "shift_id": ("kode_shift", "shift", "kode"),
    "rotation_id": ("kode_rotasi", "rotasi", "kode"),
    "starts": ("jam_mulai", "jam_masuk", "mulai"),
    "ends": ("jam_selesai", "jam_pulang", "selesai"),
    "weekdays": ("hari", "hari_kerja"),
    "starts_on": ("tanggal_mulai", "mulai"),
    "pattern": ("pola",),
    "valid_from": ("berlaku_dari", "berlaku_mulai", "tanggal_mulai", "mulai", "dari"),
    "valid_to": ("berlaku_sampai", "tanggal_selesai", "selesai", "sampai"),
    "is_paid": ("dibayar",),
    "is_certain": ("pasti",),
}
LEAVE_KINDS: Mapping[str, str] = {
    "cuti": "leave",
    "cuti tahunan": "annual",
    "tahunan": "annual",
    "sakit": "sick",
    "cuti sakit": "sick",
    "melahirkan": "maternity",
    "cuti melahirkan": "maternity",
    "tanpa bayar": "unpaid",
    "tidak dibayar": "unpaid",
    "cuti tanpa bayar": "unpaid",
    "cuti di luar tanggungan": "unpaid",
    "dinas": "trip",
    "dinas luar": "trip",
    "perjalanan dinas": "trip",
}
HOLIDAY_KINDS: Mapping[str, str] = {
    "nasional": "national",
    "libur nasional": "national",
    "cuti bersama": "collective",
    "bersama": "collective",
    "perusahaan": "company",
    "libur perusahaan": "company",
}
DAYS_OFF = ("libur",)  # in a rotation's pattern


class Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def is_site(self) -> bool: ...


def column_names(headings: Iterable[str | None], columns: Sequence[Named]) -> dict[str | None, str]:
    """Return the column that each heading means; a heading that means none stays as it is, None is ''.

    Of several columns that a word can mean, it is the first that is not the site, and none that has a heading
    of its own.
    """
    plain = {each: str(each or "").strip().lower() for each in headings}
    taken = set(plain.values())
    found: dict[str | None, str] = {}
    for heading, name in plain.items():
        meant = [each for each in columns if name in HEADINGS.get(each.name, ()) and each.name not in taken]
        if meant and not any(each.name == name for each in columns):
            name = min(meant, key=lambda each: each.is_site).name
            taken.add(name)
        found[heading] = name
    return found


def normal_leave_kind(text: str) -> str:
    """Return the code of a kind of leave: of `Cuti tahunan` it is annual."""
    return LEAVE_KINDS.get(text.lower(), text.lower())


def normal_holiday_kind(text: str) -> str:
    """Return the code of a kind of holiday: of `Cuti bersama` it is collective."""
    return HOLIDAY_KINDS.get(text.lower(), text.lower())
