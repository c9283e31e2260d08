"""What the scripts that measure say of the machine they ran on."""

import pathlib
import platform
import subprocess


def processor():
    """The processor's name, as the system has it."""
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:  # macOS
        try:
            name = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], stdout=subprocess.PIPE, text=True)
            if name.stdout.strip():
                return name.stdout.strip()
        except OSError:
            pass
    return platform.processor() or platform.machine()
