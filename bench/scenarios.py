"""What is measured, and how it is checked. Each scenario runs every lane in turn, round by round."""

import time
from pathlib import Path

import data
import idle
import measure
from lanes import CannotDo
from measure import Failed, Way, run, settle, together

MIB = 1 << 20
# Memory that is touched before a large file; see `measure.settle`.
TOUCH = 2 << 30


class Scenario:
    """One way to use a drawer. Its measures are what it reports, each in a table of its own."""

    name = None
    measures = ()
    # More rounds of peers than these say nothing new: bytes and memory hardly differ.
    peer_rounds = 99
    # Lanes that differ only in flushing are measured too.
    twins = True
    # A server for each lane, or a new one for each round.
    fresh = False
    # A folder for each lane, or one for all: where nothing is written.
    one_folder = False
    # Many files are made and removed: a disk of its own (`measure.Disk`), of so many bytes.
    own_disk = 0

    def __init__(self, ground, quick):
        self.ground, self.quick, self.disk = ground, quick, None
        self.here = ground.scratch.folder(f"from-{self.name}")

    def size(self, full, quick):
        return quick if self.quick else full

    def amount(self):
        """What is moved, for a table: a text for each measure."""
        raise NotImplementedError

    def prepare(self):
        """Makes what is sent."""

    def lay(self, lane):
        """What lies in a lane's folder before its server starts. Lanes that share a server share the folder."""

    def round(self, lane, number, note):
        """Does it once. `note(measure, way, took)` keeps what it cost."""
        raise NotImplementedError

    def place(self, *names):
        """A folder where lanes write, and which is empty at first."""
        return self.ground.scratch.folder(*(["disk"] if self.disk else []), *names)

    def back(self, lane):
        return self.place("back", lane.name)

    def begin_disk(self):
        """Says whether it has the disk it wants."""
        if not self.own_disk:
            return True
        disk = measure.Disk(self.ground.scratch, self.own_disk)
        if disk.mounted:
            self.disk = disk
            return True
        disk.end()
        return False

    def end(self):
        """Takes away what lies about."""
        data.throw_away(self.place("served", self.name), self.here)
        if self.disk:
            self.disk.end()
            self.disk = None


class Big(Scenario):
    """One large file there and back."""

    name, measures = "big", ("big-up", "big-down")

    def prepare(self):
        self.bytes = self.size(1024, 16) * MIB
        self.source = data.large(self.here / "large.bin", self.bytes)

    def amount(self):
        return f"{self.bytes // MIB} MiB"

    def round(self, lane, number, note):
        name = f"{lane.name}-{number}.bin"
        back = self.back(lane)
        try:
            settle(lane.root, 0 if self.quick else TOUCH)
            way = lane.put(self.source, name)
            took = run(way, lane.server)
            data.same_file(self.source, lane.root / name)
            note("big-up", way, took)
            settle(lane.root, 0 if self.quick else TOUCH)
            try:
                way = lane.get(name, back)
            except CannotDo as why:
                return note("big-down", None, why)
            took = run(way, lane.server)
            data.same_file(self.source, back / name)
            note("big-down", way, took)
        finally:
            data.throw_away(lane.root / name, back)


class Small(Scenario):
    """Thousands of small files there and back."""

    name, measures, own_disk = "small", ("small-up", "small-down"), 4 << 30

    def prepare(self):
        self.count, self.each = self.size(5000, 200), 4096
        self.source = data.tree(self.here / "many", self.count, self.each)

    def amount(self):
        return f"{self.count} × {self.each} bytes"

    def round(self, lane, number, note):
        name = f"{lane.name}-{number}"
        back = self.back(lane) / name
        data.throw_away(lane.root / name)
        try:
            settle(lane.root)
            way = lane.put_tree(self.source, name)
            took = run(way, lane.server)
            data.same_tree(self.source, lane.root / name)
            note("small-up", way, took)
            settle(lane.root)
            way = lane.get_tree(name, back, self.source)
            took = run(way, lane.server)
            data.same_tree(self.source, back)
            note("small-down", way, took)
        finally:
            data.throw_away(lane.root / name, self.back(lane))


class Again(Scenario):
    """A folder that is there already is sent again: unchanged, then with one file in a hundred changed."""

    name, measures = "again", ("unchanged", "changed")

    def prepare(self):
        self.count, self.each = self.size(20000, 400), 4096
        self.source = data.tree(self.here / "many", self.count, self.each)

    def amount(self):
        return f"{self.count} × {self.each} bytes"

    def lay(self, lane):
        data.copy(self.source, lane.root / lane.name)

    def round(self, lane, number, note):
        # Every lane has a source of its own: what changes for one is not changed for the next.
        source = self.here / f"of-{lane.name}"
        if not source.exists():
            data.copy(self.source, source)
        settle(lane.root)
        way = lane.again(source, lane.name)
        note("unchanged", way, run(way, lane.server))
        data.change(source, 100)
        settle(lane.root)
        took = run(way, lane.server)
        data.same_tree(source, lane.root / lane.name)
        note("changed", way, took)


class Delta(Scenario):
    """One hundredth of a large file changes, in one place, and it is sent again."""

    name, measures = "delta", ("delta",)

    def prepare(self):
        self.bytes = self.size(256, 16) * MIB
        self.source = data.large(self.here / "large.bin", self.bytes)

    def amount(self):
        return f"{self.bytes // MIB} MiB"

    def round(self, lane, number, note):
        name = f"{lane.name}.bin"
        source = self.here / f"of-{lane.name}.bin"
        lane.again_file(source, name)
        if not source.exists():
            data.copy(self.source, source)
            run(lane.put(source, name), lane.server)
        data.change_within(source, 0.01)
        settle(lane.root, 0 if self.quick else TOUCH)
        way = lane.again_file(source, name)
        took = run(way, lane.server)
        data.same_file(source, lane.root / name)
        note("delta", way, {**took, "share": took["line"] / self.bytes})


class Resume(Scenario):
    """Killed when half went over the line, and run again: how much goes over it then."""

    name, measures, peer_rounds, twins = "resume", ("resume-up", "resume-down"), 1, False

    def prepare(self):
        self.bytes = self.size(512, 96) * MIB
        self.source = data.large(self.here / "large.bin", self.bytes)

    def amount(self):
        return f"{self.bytes // MIB} MiB"

    def cut_and_go_on(self, lane, begin, go_on, arrived, note, measure_):
        before = measure.carried()
        first = run(begin, lane.server, cut_at=self.bytes // 2)
        if first["line"] > self.bytes * 0.95:
            raise Failed("was done before it could be cut")
        time.sleep(0.3)
        way = go_on()
        took = run(way, lane.server)
        data.same_file(self.source, arrived)
        # What a killed sender had handed to the system still goes: from the first byte to the last.
        both = measure.carried() - before
        note(measure_, way, {**took, "share": took["line"] / self.bytes, "twice": both / self.bytes - 1})

    def round(self, lane, number, note):
        name, back = self.source.name, self.back(lane)
        there = lane.root / name
        try:
            settle(lane.root)
            try:
                # Asked before anything is sent: who cannot go on is not cut.
                self.refuses(lane.go_on_put, self.source, name)
                self.cut_and_go_on(lane, lane.begin_put(self.source, name), lambda: lane.go_on_put(self.source, name),
                                   there, note, "resume-up")
            except CannotDo as why:
                note("resume-up", None, why)
            data.throw_away(there)
            data.copy(self.source, there)
            settle(lane.root)
            try:
                self.cut_and_go_on(lane, lane.begin_get(name, back), lambda: lane.go_on_get(name, back),
                                   back / name, note, "resume-down")
            except CannotDo as why:
                note("resume-down", None, why)
        finally:
            data.throw_away(there, back)

    @staticmethod
    def refuses(ask, source, name):
        try:
            ask(source, name)
        except FileNotFoundError:
            # It looks at what arrived, and nothing did yet.
            pass


class Listing(Scenario):
    """The names, kinds, sizes and times of a large folder, unsorted where there is a choice."""

    name, measures, twins, one_folder = "listing", ("listing",), False, True

    def prepare(self):
        self.count = self.size(100_000, 2000)
        self.many = data.flat(self.here / "many", self.count)

    def amount(self):
        return f"{self.count} entries"

    def lay(self, lane):
        if not (lane.root / "many").exists():
            self.many.rename(lane.root / "many")

    def round(self, lane, number, note):
        way = lane.list("many")
        out = self.ground.scratch.path / "listed"
        curl = Path(way.argv[0]).name == "curl"
        if curl:
            way = Way(*way.argv, "-w", "%{stderr}%{time_starttransfer}", env=way.env)
        way.out = out
        settle(lane.root)
        said = self.ground.scratch.path / "said"
        took = run(way, lane.server, said=said)
        found = lane.names_in(out.read_bytes())
        if found != self.count:
            raise Failed(f"{found} entries of {self.count}")
        if curl:
            took["first_byte"] = float(said.read_text())
        took["told"] = out.stat().st_size
        note("listing", way, took)


class Clients(Scenario):
    """Fifty clients at once, each with a file of its own; beside it one client with as many bytes."""

    name, measures, peer_rounds = "clients", ("clients-up", "clients-down"), 1

    def prepare(self):
        self.clients, self.each = self.size(50, 8), self.size(10, 2) * MIB
        self.source = data.large(self.here / "each.bin", self.each)
        self.one = data.large(self.here / "one.bin", self.clients * self.each)

    def amount(self):
        return f"{self.clients} × {self.each // MIB} MiB"

    def round(self, lane, number, note):
        back = self.back(lane)
        names = [f"client-{client}.bin" for client in range(self.clients)]
        try:
            settle(lane.root, 0 if self.quick else TOUCH)
            one = run(lane.put(self.one, "one.bin"), lane.server)
            settle(lane.root, 0 if self.quick else TOUCH)
            ways = [lane.put(self.source, name) for name in names]
            took = together(ways, lane.server)
            for name in names:
                data.same_file(self.source, lane.root / name)
            note("clients-up", ways[0], self.shares(took, one))
            settle(lane.root, 0 if self.quick else TOUCH)
            one = run(lane.get("one.bin", back), lane.server)
            ways = [lane.get(name, back) for name in names]
            settle(lane.root, 0 if self.quick else TOUCH)
            took = together(ways, lane.server)
            for name in names:
                data.same_file(self.source, back / name)
            note("clients-down", ways[0], self.shares(took, one))
        finally:
            data.throw_away(back, lane.root / "one.bin", *(lane.root / name for name in names))

    @staticmethod
    def shares(took, one):
        """Throughput of all over that of one; the slowest's over the mean."""
        rates = [1 / seconds for seconds in took.pop("each")]
        return {**took, "one": one["seconds"], "of_one": one["seconds"] / took["seconds"],
                "slowest": min(rates) * len(rates) / sum(rates)}


class Idle(Scenario):
    """A thousand clients that stay connected and ask nothing: the memory of the server for each."""

    name, measures, peer_rounds, twins, fresh = "idle", ("idle",), 1, False, True

    def prepare(self):
        self.sessions = self.size(1000, 40)

    def amount(self):
        return f"{self.sessions} connections"

    def round(self, lane, number, note):
        kind, what = lane.idle()
        # Whoever makes processes for a connection needs fewer to show it.
        count = min(self.sessions, 30) if kind == "ssh" else self.sessions
        with idle.connections(lane, kind, what, 1):
            # What a first client brings about is not what each costs.
            pass
        time.sleep(0.5)
        before = lane.server.held()
        with idle.connections(lane, kind, what, count) as seconds:
            time.sleep(1)
            held = lane.server.held()
        note("idle", idle.shown(kind, what), {"seconds": seconds, "sessions": count, "each": (held - before) / count,
                                              "server_peak": held})


ALL = [Big, Small, Again, Delta, Resume, Listing, Clients, Idle]
