"""The agent's systemd unit, where there is one."""

import shutil
import subprocess

UNIT = "hadir-agent"
PATIENCE_S = 60


class ServiceError(Exception):
    """systemd could not do it; says why."""


def is_installed() -> bool:
    """Tell whether this machine has systemd and the agent's unit."""
    return shutil.which("systemctl") is not None and _systemctl("cat", f"{UNIT}.service").returncode == 0


def start() -> None:
    """Have the agent run now and after every restart of the machine. Raises ServiceError."""
    for action in ("enable", "restart"):
        done = _systemctl(action, f"{UNIT}.service")
        if done.returncode:
            raise ServiceError(done.stderr.strip() or f"systemctl {action} ended with {done.returncode}")


def _systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["systemctl", *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(arguments, 1, "", str(error))
