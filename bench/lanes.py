"""What a lane is: one program, on one line, with one promise about the disk.

A lane says how a person would do each thing with that program, in the best way it has; the scenarios
measure it. What it cannot do raises `CannotDo` with the reason.
"""

import hashlib
import base64
import os
import shutil
import subprocess
from pathlib import Path

import data
import measure
from measure import Way

PLAIN, ENCRYPTED = "plain", "encrypted"


class CannotDo(Exception):
    """This program has no way to do it; the text says why."""


class Missing(Exception):
    """The program is not on this machine."""


class Ground:
    """What all lanes stand on: the scratch folder, the certificate, where programs are."""

    def __init__(self, scratch, gaveta, peers):
        self.scratch, self.gaveta, self.held = scratch, gaveta, Path(peers)
        # Whoever is started may look for its files there, and finds none of the person's.
        self.home = scratch.folder("home")
        self.path = os.pathsep.join(
            [str(self.held / "bin"), str(self.held / "python" / "bin"), os.environ["PATH"], "/usr/sbin", "/sbin"])
        os.environ["PATH"] = self.path
        self.cert, self.key = scratch.path / "cert.pem", scratch.path / "key.pem"
        self.fingerprint = None

    def program(self, name):
        found = shutil.which(name)
        if not found:
            raise Missing(f"{name} is missing")
        return found

    def certificate(self):
        """One for all that encrypt: P-256, as Gaveta makes its own."""
        if self.fingerprint:
            return
        self.program("openssl")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", self.key, "-out", self.cert],
            check=True, capture_output=True)
        public = subprocess.run(["openssl", "x509", "-in", self.cert, "-noout", "-pubkey"], check=True, capture_output=True)
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=public.stdout, check=True, capture_output=True)
        digest = base64.b64encode(hashlib.sha256(der.stdout).digest()).decode().rstrip("=")
        self.fingerprint = f"SHA256:{digest}"

    def curl_list(self, pairs):
        """A file of options for curl, made before anything is measured."""
        at = self.scratch.folder("lists") / f"{len(os.listdir(self.scratch.folder('lists')))}"
        with at.open("w") as out:
            for option, value in pairs:
                out.write(f'{option} = "{value}"\n' if value is not None else f"{option}\n")
        return at


class Lane:
    """One contestant. Folders and names are relative to `root`, the folder that is served."""

    name = peer = None
    line = PLAIN
    durable = False
    verifies = False
    # Another lane differs from it only in flushing: it need not do what writes nothing at the server.
    twin = False
    # Lanes of one key share a server.
    shares = None

    def __init__(self, ground):
        self.ground, self.root, self.server = ground, None, None
        self.needs()

    def needs(self):
        """Raises `Missing` where its programs are not."""

    def version(self):
        """What it says it is, in a line."""
        raise NotImplementedError

    def serve(self, root, state):
        """Starts its server on this folder: a `measure.Server`."""
        raise NotImplementedError

    @property
    def port(self):
        return self.server.port

    def put(self, source, name):
        raise CannotDo("sends nothing")

    def get(self, name, target):
        raise CannotDo("gets nothing")

    def put_tree(self, source, name):
        return self.put(source, name)

    def get_tree(self, name, target, source):
        """`source` is what was sent, so that lists can be made before the clock runs."""
        return self.get(name, target)

    def again(self, source, name):
        """Sends a tree again that is there already: only what differs."""
        raise CannotDo("has no command that sends only what differs")

    def again_file(self, source, name):
        """Sends a changed file again: only what differs."""
        raise CannotDo("sends all of a file that changed")

    def go_on_put(self, source, name):
        raise CannotDo("a cut upload starts again from nothing")

    def go_on_get(self, name, target):
        raise CannotDo("a cut download starts again from nothing")

    def begin_put(self, source, name):
        """What is cut before `go_on_put`."""
        return self.put(source, name)

    def begin_get(self, name, target):
        return self.get(name, target)

    def after_cut(self):
        """What a server may need until it knows that its client is gone: nothing."""

    def list(self, name):
        """Names, kinds, sizes and times of a folder, to standard output."""
        raise CannotDo("tells no sizes and times to programs")

    def names_in(self, text):
        """How many entries a listing that was told has."""
        raise NotImplementedError

    def idle(self):
        """How a client stays connected: ("http", path), ("session", path) or ("ssh", command)."""
        raise CannotDo("keeps no connection open")


def shown(way, ground, lane):
    """A command as a person would type it: without the paths of one run."""
    words = []
    for word in way.argv:
        word = word.replace(str(ground.scratch.path) + "/", "").replace(str(ground.held), "PEERS")
        if lane.server:
            word = word.replace(str(lane.port), "PORT")
        if ground.fingerprint:
            word = word.replace(ground.fingerprint, "SHA256:…")
        words.append(Path(word).name if word is way.argv[0] or word.startswith("/usr/") else word)
    words[0] = Path(way.argv[0]).name
    return " ".join(f"'{word}'" if " " in word else word for word in words)


class Gaveta(Lane):
    """Digests of the whole verified by both sides; flushed by whoever writes, or by nobody."""

    peer = "gaveta"
    verifies = True
    scheme = "http"

    def version(self):
        return said(self.ground.gaveta, "--version")

    def needs(self):
        self.ground.certificate()

    @property
    def shares(self):
        return "full" if self.durable else "fast"

    def serve(self, root, state):
        port = measure.free_port()
        return measure.Server(
            self.name,
            [self.ground.gaveta, "serve", root, "--port", port, "--lang", "en", "--state-dir", state, "--log-level", "error", "--max-connections", 4096, "--max-sessions", 2048,
             "--durability", self.shares, "--tls-cert", self.ground.cert, "--tls-key", self.ground.key],
            port, self.ground.scratch.path / f"log-{self.name}", env={"GAVETA_ADMIN_PASSWORD": "of-the-bench"})

    def way(self, verb, *words, env=None):
        words = list(words)
        if self.line == ENCRYPTED:
            words += ["--fingerprint", self.ground.fingerprint]
        return Way(self.ground.gaveta, verb, *words, "--quiet", "--lang", "en",
                   env={"XDG_STATE_HOME": str(self.ground.home), **(env or {})})

    def at(self, name):
        return f"{self.scheme}://localhost:{self.port}/{name}"

    def put(self, source, name):
        return self.way("send", source, self.at(name))

    def get(self, name, target):
        # As durable here as there.
        return self.way("get", "--durability", self.shares, self.at(name), target)

    def again(self, source, name):
        # Replacing wants who may.
        return self.way("mirror", source, self.at(name), env={"GAVETA_PASSWORD": "of-the-bench"})

    def again_file(self, source, name):
        return self.way("send", "--replace", source, self.at(name), env={"GAVETA_PASSWORD": "of-the-bench"})

    def go_on_put(self, source, name):
        return self.put(source, name)

    def go_on_get(self, name, target):
        return self.get(name, target)

    def list(self, name):
        return curl(self, "-H", "Accept: application/x-ndjson", self.at(name + "/"))

    def names_in(self, text):
        return text.count(b'{"entry":{')

    def idle(self):
        return "session", "/.gaveta/session"


class GavetaFull(Gaveta):
    name, durable = "gaveta", True


class GavetaFast(Gaveta):
    name, twin = "gaveta-fast", True


class GavetaTls(Gaveta):
    name, line, durable, scheme = "gaveta-tls", ENCRYPTED, True, "https"


class GavetaTlsFast(Gaveta):
    name, line, scheme, twin = "gaveta-tls-fast", ENCRYPTED, "https", True


def said(*argv):
    """The first line of what a program says about itself."""
    told = subprocess.run([str(word) for word in argv], check=False, capture_output=True, text=True)
    lines = (told.stdout + told.stderr).strip().splitlines()
    return lines[0].strip() if lines else ""


def curl(lane, *words):
    trust = ["--cacert", lane.ground.cert] if lane.line == ENCRYPTED else []
    return Way(lane.ground.program("curl"), "-sS", "--fail", *trust, *words)


def curl_many(lane, pairs, *words):
    """Many requests over eight connections that are kept."""
    return curl(lane, "--parallel", "--parallel-max", 8, "-K", lane.ground.curl_list(pairs), *words)
