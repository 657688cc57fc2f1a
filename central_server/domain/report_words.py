"""The daily report in words: Bahasa Indonesia and English."""

from collections.abc import Mapping
from datetime import date, datetime, tzinfo

from central_server.domain.messages import flat
from central_server.domain.reports import DailyReport

LANGUAGES = ("id", "en")

_EN = {
    "title": "Daily attendance",
    "made": "Made at {at}",
    "provisional": "PROVISIONAL",
    "provisional_note": "Shifts are still running or may still get late news; figures can change.",
    "waits_for": "Still to tell what they saw: {names}.",
    "revision": "Revision {number}",
    "number": "No.",
    "employee_id": "Code",
    "name": "Name",
    "department": "Department",
    "status": "Status",
    "first_in": "First in",
    "last_out": "Last out",
    "hours": "Hours",
    "late_min": "Late (min)",
    "early_min": "Early leave (min)",
    "present": "Present",
    "late": "Late",
    "absent": "Absent",
    "incomplete": "Incomplete",
    "leave": "On leave",
    "not_started": "Shift not begun",
    "holiday": "Holiday",
    "off": "Day off",
    "total": "Total",
    "total_hours": "Total working hours",
    "people": "{count} people",
    "nobody": "Nobody was expected at work.",
    "excluded": "Not counted",
    "excluded_note": "Employed, but not recognised by the cameras: not absent.",
    "not_enrolled": "not enrolled",
    "no_consent": "no consent",
    "page": "Page {page} of {pages}",
    "date": "Date",
    "is_provisional": "Provisional",
    "in_area": "Hours in the area",
    "span": "Hours from first to last",
    "breaks": "Hours of unpaid breaks",
    "overtime_min": "Overtime (min)",
    "overtime_paid_min": "Overtime that counts (min)",
    "leave_kind": "Leave",
    "is_verified": "Certain",
    "uncertain_note": "Nobody watched when it mattered; doubt counted for the person.",
    "leave_trip": "business trip",
    "yes": "yes",
    "no": "no",
    "subject": "Attendance {site} {date}",
    "attached": "The full report is attached.",
}
_ID = {
    "title": "Laporan kehadiran harian",
    "made": "Dibuat {at}",
    "provisional": "SEMENTARA",
    "provisional_note": "Shift masih berjalan atau data susulan masih mungkin masuk; angka dapat berubah.",
    "waits_for": "Belum mengirim semua yang dilihat: {names}.",
    "revision": "Revisi {number}",
    "number": "No.",
    "employee_id": "Kode",
    "name": "Nama",
    "department": "Departemen",
    "status": "Status",
    "first_in": "Masuk",
    "last_out": "Keluar",
    "hours": "Jam kerja",
    "late_min": "Terlambat (menit)",
    "early_min": "Pulang awal (menit)",
    "present": "Hadir",
    "late": "Terlambat",
    "absent": "Tidak hadir",
    "incomplete": "Tidak lengkap",
    "leave": "Cuti",
    "not_started": "Shift belum mulai",
    "holiday": "Libur",
    "off": "Hari libur",
    "total": "Jumlah",
    "total_hours": "Total jam kerja",
    "people": "{count} orang",
    "nobody": "Tidak ada yang dijadwalkan bekerja.",
    "excluded": "Tidak dihitung",
    "excluded_note": "Karyawan yang tidak dikenali kamera: tidak dihitung tidak hadir.",
    "not_enrolled": "belum didaftarkan",
    "no_consent": "tanpa persetujuan",
    "page": "Halaman {page} dari {pages}",
    "date": "Tanggal",
    "is_provisional": "Sementara",
    "in_area": "Jam di area",
    "span": "Jam dari masuk sampai keluar",
    "breaks": "Jam istirahat tidak dibayar",
    "overtime_min": "Lembur (menit)",
    "overtime_paid_min": "Lembur dihitung (menit)",
    "leave_kind": "Cuti",
    "is_verified": "Pasti",
    "uncertain_note": "Tidak terpantau saat menentukan; keraguan menguntungkan karyawan.",
    "leave_trip": "perjalanan dinas",
    "yes": "ya",
    "no": "tidak",
    "subject": "Kehadiran {site} {date}",
    "attached": "Laporan lengkap terlampir.",
}
_DAYS = {
    "en": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "id": ["Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu"],
}
_MONTHS = {
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "id": (
        *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
        *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
    ),
}


def spoken(language: str) -> str:
    """Return language if the report can be had in it, else English."""
    return language if language in LANGUAGES else "en"


def words(language: str) -> Mapping[str, str]:
    """Return the report's words."""
    return _ID if spoken(language) == "id" else _EN


def leave_words(kind: str, language: str) -> str:
    """Return what a trip is called, and nothing for a leave: why somebody is away is in no report."""
    return words(language).get(f"leave_{kind}", "")


def long_date(day: date, language: str) -> str:
    """Return e.g. 'Monday, 23 November 2026'."""
    known = spoken(language)
    return f"{_DAYS[known][day.weekday()]}, {day.day} {_MONTHS[known][day.month - 1]} {day.year}"


def clock(moment: datetime | None, timezone: tzinfo) -> str:
    """Return the local wall time as HH:MM, or a dash."""
    return moment.astimezone(timezone).strftime("%H:%M") if moment else "–"


def hours(seconds: int | None, language: str) -> str:
    """Return e.g. '8 h 05 min' ('8 j 05 m'), or a dash when it cannot be told."""
    if seconds is None:
        return "–"
    whole, minutes = divmod(seconds // 60, 60)
    return f"{whole} j {minutes:02d} m" if language == "id" else f"{whole} h {minutes:02d} min"


def provisional_note(report: DailyReport, language: str) -> str:
    """Return why the report may still change, and which boxes it waits for; empty when it may not."""
    if not report.is_provisional:
        return ""
    said = words(language)
    return " ".join([said["provisional_note"], *_waits_for(report, said)])


def summary_params(report: DailyReport, language: str) -> dict[str, str]:
    """Return the parameters of the WhatsApp template for reports."""
    totals = report.totals
    return {
        "site": flat(report.site_name),
        "date": long_date(report.business_date, language),
        "present": str(totals.present),
        "late": str(totals.late),
        "absent": str(totals.absent),
        "hours": hours(totals.work_seconds, language),
    }


def summary_text(report: DailyReport, language: str) -> str:
    """Return the few lines that go with the attached report."""
    said, totals = words(language), report.totals
    counts = [("present", totals.present), ("late", totals.late), ("absent", totals.absent)]
    more = [
        ("incomplete", totals.incomplete),
        ("leave", totals.leave),
        ("not_started", totals.not_started),
        ("excluded", totals.excluded),
    ]
    lines = [
        f"{said['title']} - {flat(report.site_name)}",
        long_date(report.business_date, language) + _marks(report, said),
        ", ".join(f"{said[name]}: {count}" for name, count in counts),
        ", ".join(f"{said[name]}: {count}" for name, count in more if count),
        f"{said['total_hours']}: {hours(totals.work_seconds, language)}",
        *_waits_for(report, said),
        said["attached"],
    ]
    return "\n".join(line for line in lines if line)


def subject(report: DailyReport, language: str) -> str:
    said = words(language)
    day = report.business_date.isoformat()
    return said["subject"].format(site=flat(report.site_name), date=day) + _marks(report, said)


def _waits_for(report: DailyReport, said: Mapping[str, str]) -> list[str]:
    names = ", ".join(flat(name) for name in report.waits_for)
    return [said["waits_for"].format(names=names)] if names and report.is_provisional else []


def _marks(report: DailyReport, said: Mapping[str, str]) -> str:
    marks = [said["revision"].format(number=report.revision)] if report.revision > 1 else []
    marks += [said["provisional"]] if report.is_provisional else []
    return f" ({', '.join(marks)})" if marks else ""
