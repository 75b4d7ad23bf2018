"""What a command costs: seconds, processor time of both sides, memory of the server, bytes on the line.

Linux only: it reads /proc. Nothing here knows what is measured.
"""

import atexit
import ctypes
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
STARTING = 60
KIB = 1024


class Limits:
    """Who takes longer, in seconds, is ended, and that is said."""

    deadline = 30


class Failed(Exception):
    """A command failed, took too long, or what arrived is wrong."""


class Scratch:
    """A folder that is taken away at the end."""

    def __init__(self):
        where = os.environ.get("GAVETA_BENCH_SCRATCH")
        self.path = Path(tempfile.mkdtemp(prefix="gaveta-bench-", dir=where))
        self.path.chmod(0o755)
        atexit.register(shutil.rmtree, self.path, ignore_errors=True)

    def folder(self, *names):
        path = self.path.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True)
        return path


def end(process, signal_=signal.SIGTERM):
    """Ends a process that leads its own group, and waits for it."""
    if process.poll() is not None:
        return
    try:
        os.killpg(process.pid, signal_)
        process.wait(15)
    except ProcessLookupError:
        pass
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def own_network():
    """A network of this process's own, so that the loopback carries only what is measured.

    Says whether it could be had; it wants root.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:  # CLONE_NEWNET
        return False
    return subprocess.run(["ip", "link", "set", "lo", "up"], check=False).returncode == 0


class Disk:
    """A fresh ext4 with a journal, in a file of the scratch folder; only this process and its children see it.

    An ext4 without a journal, as some virtual machines have, takes no inode again that was let go of within
    the last minutes, and looks at each of them for every file that is made: who comes after a removal
    of 5,000 files would pay 3 s for it, whatever program it is. It wants root.
    """

    TOLD = "On a disk of their own, a fresh ext4 with a journal."

    def __init__(self, scratch, size):
        self.image, self.path = scratch.path / "disk.img", scratch.path / "disk"
        self.mounted = False
        if ctypes.CDLL(None, use_errno=True).unshare(0x20000) != 0:  # CLONE_NEWNS
            return
        with self.image.open("wb") as out:
            out.truncate(size)
        self.path.mkdir()
        self.mounted = all(self.does(*argv) for argv in (
            ["mount", "--make-rprivate", "/"],
            ["mkfs.ext4", "-q", "-F", self.image],
            ["mount", "-o", "loop,noinit_itable", self.image, self.path]))

    @staticmethod
    def does(*argv):
        try:
            return subprocess.run(argv, check=False, capture_output=True).returncode == 0
        except OSError:
            return False

    def end(self):
        if self.mounted:
            self.does("umount", "--lazy", self.path)
        self.mounted = False
        self.image.unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)


def many_files():
    """A thousand connections want more open files than is usual."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def carried():
    """Bytes that the loopback carried so far, both ways, with all headers."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "lo":
            return int(counts.split()[0])
    return 0


class Server:
    """A server that runs, with the processes that it makes."""

    def __init__(self, name, argv, port, log, env=None, forks=False):
        """Returns when the port answers. `forks`: a process for each client, so that its memory is looked at all the time."""
        self.name, self.argv, self.port, self.forks = name, [str(word) for word in argv], port, forks
        self.log = Path(log)
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, **(env or {})}, start_new_session=True)
        until = time.monotonic() + STARTING
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        end(self.process)
        told = self.log.read_text(errors="replace").strip().splitlines()
        raise Failed(f"{name} did not start: {told[-1] if told else 'it says nothing'}")

    def stop(self):
        end(self.process)

    def tree(self):
        """Its process and all that came of it and still run."""
        found, look = [], [self.process.pid]
        while look:
            pid = look.pop()
            try:
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                found.append(pid)
                look += [int(child) for child in children]
                for thread in os.listdir(f"/proc/{pid}/task"):
                    if int(thread) != pid:
                        path = Path(f"/proc/{pid}/task/{thread}/children")
                        look += [int(child) for child in path.read_text().split()]
            except OSError:
                pass
        return found

    def cpu(self):
        """Seconds of processor time of the tree, ended children with it."""
        ticks = 0
        for pid in self.tree():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(int(field) for field in fields[11:15])
            except OSError:
                pass
        return ticks / TICKS

    def _sum(self, name, file):
        total = 0
        for pid in self.tree():
            try:
                for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
                    if line.startswith(name + ":"):
                        total += int(line.split()[1]) * KIB
            except OSError:
                pass
        return total

    def peak(self):
        """The most memory since `forget_peak`, in bytes, summed over what runs now."""
        return self._sum("VmHWM", "status")

    def held(self):
        """Memory now, in bytes; what several processes share counts once."""
        return self._sum("Pss", "smaps_rollup")

    def forget_peak(self):
        for pid in self.tree():
            try:
                Path(f"/proc/{pid}/clear_refs").write_text("5")
            except OSError:
                pass

    def rest(self, processes):
        """Waits a little for what it made for clients that have gone."""
        until = time.monotonic() + 2
        while self.forks and len(self.tree()) > processes and time.monotonic() < until:
            time.sleep(0.01)


class Looking:
    """Looks at the memory of a server that makes processes for its clients, while they live."""

    def __init__(self, server):
        self.server, self.most, self.done = server, 0, threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self):
        while not self.done.wait(0.05):
            self.most = max(self.most, self.server.peak())

    def __enter__(self):
        if self.server and self.server.forks:
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        if self.thread.ident:
            self.thread.join()


class Way:
    """How a person would do it: a command, its surroundings, and where its output goes."""

    def __init__(self, *argv, env=None, cwd=None, out=None, codes=(0,)):
        self.argv = [str(word) for word in argv]
        self.env, self.cwd, self.out, self.codes = env or {}, cwd, out, codes

    def start(self, said):
        out = open(self.out, "wb") if self.out else said
        try:
            return subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=said, cwd=self.cwd,
                env={**os.environ, **self.env}, start_new_session=True)
        finally:
            if self.out:
                out.close()


def kill(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(way, server, cut_at=None, said=None):
    """Runs a command and gives its costs as a dict.

    With `cut_at` it is killed when so many bytes went over the line, and its exit code is nobody's business.
    What it says besides its output goes to the file `said`.
    """
    return together([way], server, cut_at, said)


def together(ways, server, cut_at=None, said=None):
    """Runs commands at once; as `run`, with the seconds of each in `each`."""
    with (open(said, "w+b") if said else tempfile.TemporaryFile()) as said, Looking(server) as looking:
        processes = len(server.tree()) if server else 0
        cpu = 0
        if server:
            server.forget_peak()
            cpu = server.cpu()
        line, began = carried(), time.perf_counter()
        running = {}
        for way in ways:
            process = way.start(said)
            running[process.pid] = (process, way)
        group = [process for process, _ in running.values()]
        late = threading.Event()

        def give_up():
            late.set()
            for process in group:
                kill(process)

        timer = threading.Timer(Limits.deadline, give_up)
        timer.daemon = True
        timer.start()
        each, client_cpu, wrong = [], 0.0, []
        if cut_at is not None:
            watch = threading.Thread(target=cut, args=(group[0], line + cut_at), daemon=True)
            watch.start()
        while running:
            pid, status, usage = wait_for(running)
            process, way = running.pop(pid)
            process.returncode = os.waitstatus_to_exitcode(status)
            each.append(time.perf_counter() - began)
            client_cpu += usage.ru_utime + usage.ru_stime
            if cut_at is None and process.returncode not in way.codes:
                wrong.append((process.returncode, way))
        seconds = time.perf_counter() - began
        timer.cancel()
        if late.is_set():
            raise Failed(f"took more than {Limits.deadline} s")
        if wrong:
            said.seek(0)
            told = said.read()[-2000:].decode(errors="replace").strip().splitlines()
            raise Failed(f"{Path(wrong[0][1].argv[0]).name} ended with {wrong[0][0]}: {told[-1] if told else 'it says nothing'}")
        took = {"seconds": seconds, "client_cpu": client_cpu}
        if server:
            # What is still there is counted before it goes.
            looking.most = max(looking.most, server.peak())
            server.rest(processes)
            took["server_cpu"] = max(0.0, server.cpu() - cpu)
            took["server_peak"] = max(looking.most, server.peak())
        took["line"] = carried() - line
        if len(ways) > 1:
            took["each"] = each
        return took


def wait_for(running):
    """The next of these to end; children of others are none of ours here."""
    if len(running) == 1:
        return os.wait4(next(iter(running)), 0)
    while True:
        for pid in running:
            found = os.wait4(pid, os.WNOHANG)
            if found[0]:
                return found
        time.sleep(0.002)


def cut(process, at):
    while carried() < at:
        if process.returncode is not None or not Path(f"/proc/{process.pid}").exists():
            return
        time.sleep(0.0005)
    kill(process)


def settle(folder, touch=0):
    """Nothing that others left is still to be written, and so many bytes of free memory have been touched.

    Where a host takes back what is free, whoever touches it first pays for it.
    """
    subprocess.run(["sync", "-f", str(folder)], check=False)
    if not touch:
        return
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            touch = min(touch, int(line.split()[1]) * KIB // 4)
    # By a file, as what is measured does it: memory for other things comes from other free pieces.
    file = Path(folder).parent / f".touched-{os.getpid()}"
    try:
        with file.open("wb", buffering=0) as out:
            zeros = bytes(1 << 20)
            for _ in range(touch >> 20):
                out.write(zeros)
    except OSError:
        pass
    file.unlink(missing_ok=True)


def median(values):
    return statistics.median(values) if values else None
