"""The engines as processes that the driver talks to, one at a time.

A worker that is not spoken to is stopped by a signal, so that threads which
wait for work by spinning take nothing from the others.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time

from .options import ROOT

PEERS = ROOT / "benches" / "peers"
# An answer takes no longer than this: compiling a case is the longest.
PATIENCE = 600.0
# Which worker a column's cases go to.
WORKERS = {"pytorch-compiled": "pytorch"}
PR_SET_PDEATHSIG = 1


class EngineError(Exception):
    """An engine cannot do something; the text says why."""


def worker_of(engine):
    """The name of the worker that an engine's cases go to."""
    return WORKERS.get(engine, engine)


def die_with_parent():
    """A stopped worker would outlive a driver that was killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Worker:
    """A worker process; started when it is first asked."""

    def __init__(self, name, command, environment, threads, log):
        self.name, self.command, self.threads, self.log = name, command, threads, log
        self.environment = {**os.environ, **environment}
        self.process = None
        self.hello = None
        self.rest = b""
        # Why it ended: it is not started again before it has forgotten its cases.
        self.failure = None

    def start(self):
        """Starts the process where there is none and learns who it is."""
        if self.process is not None:
            return
        try:
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=self.environment,
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                )
        except OSError as error:
            raise EngineError(f"{self.name}'s worker does not start: {error.strerror}") from error
        self.rest = b""
        self.hello = self.ask({"do": "hello", "threads": self.threads})

    def ask(self, request):
        """The answer to a request."""
        if self.failure:
            raise EngineError(self.failure)
        self.start()
        try:
            self.signal(signal.SIGCONT)
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            answer = json.loads(self.line(time.monotonic() + PATIENCE))
            self.signal(signal.SIGSTOP)
        except (OSError, ValueError) as error:
            self.close()
            self.failure = f"{self.name}'s worker: {error}"
            raise EngineError(self.failure) from error
        if "error" in answer:
            raise EngineError(answer["error"])
        return answer

    def line(self, deadline):
        """The next line of the worker's output."""
        output = self.process.stdout.fileno()
        while b"\n" not in self.rest:
            ready, _, _ = select.select([output], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise OSError(f"no answer for {PATIENCE:.0f} seconds")
            part = os.read(output, 1 << 16)
            if not part:
                raise OSError(f"it ended: {self.last_words()}")
            self.rest += part
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def last_words(self):
        """The last line that the worker wrote to standard error."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "without a word"

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def close(self):
        """Ends the process and all that it started."""
        if self.process is None:
            return
        process, self.process = self.process, None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()


class Workers:
    """All workers, by name."""

    def __init__(self, options, folder):
        threads = str(options.threads)
        python = {"PYTHONPATH": str(PEERS / "python"), "PYTHONUNBUFFERED": "1"}
        commands = {
            "thinnet": ([options.thinnet_worker], {}),
            "candle": (
                [options.candle_worker],
                {"RAYON_NUM_THREADS": threads, "CANDLE_NUM_THREADS": threads},
            ),
            "pytorch": (
                [sys.executable, PEERS / "python" / "pytorch_worker.py"],
                {
                    **python,
                    "OMP_NUM_THREADS": threads,
                    "TORCHINDUCTOR_COMPILE_THREADS": "1",
                    "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
                },
            ),
            "jax": (
                [sys.executable, PEERS / "python" / "jax_worker.py"],
                {**python, "JAX_PLATFORMS": "cpu"},
            ),
            "onnxruntime": ([sys.executable, PEERS / "python" / "onnxruntime_worker.py"], python),
            "tract": ([options.tract_worker], {}),
            "rten": ([options.rten_worker], {}),
        }
        self.all = {
            name: Worker(name, command, environment, options.threads, folder / f"{name}.log")
            for name, (command, environment) in commands.items()
            if any(worker_of(engine) == name for engine in options.engines)
        }

    def ask(self, engine, **request):
        """Asks the worker of an engine."""
        return self.all[worker_of(engine)].ask(request)

    def drop(self):
        """Every running worker forgets its cases."""
        for worker in self.all.values():
            if worker.process is not None:
                try:
                    worker.ask({"do": "drop"})
                except EngineError:
                    worker.close()
            worker.failure = None

    def pids(self):
        return [w.process.pid for w in self.all.values() if w.process is not None]

    def close(self):
        for worker in self.all.values():
            worker.close()
