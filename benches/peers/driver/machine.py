"""The machine: what it is, which CPUs to use, and what else runs on it."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

from .options import ROOT


def said(*command):
    """The first line that a command prints, or nothing."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.strip().partition("\n")[0] if run.returncode == 0 else ""


def cpu_fields():
    """Names and values of the first CPU in /proc/cpuinfo."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {}
    lines = text.split("\n\n")[0].splitlines()
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}


def cpu_name(fields):
    """Name, family and model: hypervisors shorten the name."""
    name = fields.get("model name") or platform.processor() or platform.machine()
    numbers = [fields.get(key) for key in ("cpu family", "model")]
    if all(numbers):
        name += f" (family {numbers[0]}, model {numbers[1]})"
    return name


def instruction_sets(fields):
    flags = set(fields.get("flags", "").split())
    return [name for name in ("avx2", "fma", "avx512f", "avx512_vnni", "amx_tile") if name in flags]


def describe():
    """The machine and its tools; nothing that names it."""
    fields = cpu_fields()
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_name(fields),
        "cpus": len(os.sched_getaffinity(0)),
        "instruction_sets": instruction_sets(fields),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "rustc": said("rustc", "--version"),
        "c++": said("c++", "--version"),
        "thinnet_commit": said("git", "describe", "--always", "--dirty", "--exclude=*"),
    }


def core_of(cpu):
    """The CPUs that share a core with `cpu`, as the system writes them."""
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return path.read_text().strip()
    except OSError:
        return str(cpu)


def choose_cpus(threads):
    """As many CPUs as threads: one of each core, as far as there are cores."""
    allowed = sorted(os.sched_getaffinity(0))
    first, cores = [], set()
    for cpu in allowed:
        if core_of(cpu) not in cores:
            cores.add(core_of(cpu))
            first.append(cpu)
    chosen = (first + [cpu for cpu in allowed if cpu not in first])[:threads]
    if len(chosen) < threads:
        raise SystemExit(f"error: --threads {threads}: this process may use {len(allowed)} CPUs")
    return chosen


def cpu_seconds(pid):
    """CPU time of a process and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def busy_seconds(cpus):
    """Time for which some CPUs were busy, or taken away by the hypervisor."""
    busy = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name in {f"cpu{cpu}" for cpu in cpus}:
            user, nice, system, _idle, _wait, irq, soft, steal = map(int, fields[:8])
            busy += user + nice + system + irq + soft + steal
    return busy / os.sysconf("SC_CLK_TCK")
