"""Peers that copy files by protocols of their own: OpenSSH, rsync, rclone."""

import os
import subprocess
from pathlib import Path

import measure
from lanes import ENCRYPTED, CannotDo, Lane, said
from measure import Way


class OverSsh(Lane):
    """By an sshd of its own, with a key of its own, the cipher that both like best."""

    line = ENCRYPTED

    def needs(self):
        for program in ("ssh", "sshd", "ssh-keygen"):
            self.ground.program(program)

    def serve(self, root, state):
        keys = self.ground.scratch.folder("ssh")
        if not (keys / "key").exists():
            for name in ("host", "key"):
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
            (keys / "authorized").write_text((keys / "key.pub").read_text())
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        port = measure.free_port()
        conf = Path(state) / "conf"
        conf.write_text(f"""Port {port}
ListenAddress 127.0.0.1
HostKey {keys}/host
UsePAM no
AuthorizedKeysFile {keys}/authorized
StrictModes no
PermitRootLogin yes
MaxStartups 200
PidFile {state}/pid
Subsystem sftp internal-sftp
""")
        return measure.Server(self.name, [self.ground.program("sshd"), "-D", "-e", "-f", conf], port,
                              self.ground.scratch.path / f"log-{self.name}", forks=True)

    @property
    def options(self):
        keys = self.ground.scratch.path / "ssh"
        return ["-i", keys / "key", "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={keys}/known", "-o", "LogLevel=ERROR"]

    def there(self, name):
        return f"127.0.0.1:{self.root}/{name}"

    def version(self):
        return said("ssh", "-V").split(",")[0]

    def idle(self):
        return "ssh", ["ssh", "-N", "-p", str(self.port), *map(str, self.options), "127.0.0.1"]


class Scp(OverSsh):
    """`scp`; `sftp` to list and to go on after a cut."""

    name = peer = "scp"

    def needs(self):
        super().needs()
        self.ground.program("scp")
        self.ground.program("sftp")

    def scp(self, *words):
        return Way(self.ground.program("scp"), "-q", "-P", self.port, *self.options, *words)

    def sftp(self, *lines):
        batch = self.ground.scratch.path / "sftp-batch"
        batch.write_text("\n".join(lines) + "\n")
        return Way(self.ground.program("sftp"), "-q", "-P", self.port, *self.options, "-b", batch, "127.0.0.1")

    def put(self, source, name):
        return self.scp(source, self.there(name))

    def get(self, name, target):
        return self.scp(self.there(name), target)

    def put_tree(self, source, name):
        return self.scp("-r", source, self.there(name))

    def get_tree(self, name, target, source):
        return self.scp("-r", self.there(name), target)

    def begin_put(self, source, name):
        return self.sftp(f"put {source} {self.root}/{name}")

    def go_on_put(self, source, name):
        return self.sftp(f"reput {source} {self.root}/{name}")

    def begin_get(self, name, target):
        return self.sftp(f"get {self.root}/{name} {target}/{name}")

    def go_on_get(self, name, target):
        return self.sftp(f"reget {self.root}/{name} {target}/{name}")

    def list(self, name):
        return self.sftp(f"ls -lan {self.root}/{name}")

    def names_in(self, text):
        return sum(1 for line in text.splitlines() if line.startswith(b"-"))


class Rsync(Lane):
    """What both ways of rsync share. It compares a checksum of each file that it sent."""

    peer = "rsync"
    verifies = True
    def needs(self):
        super().needs()
        self.ground.program("rsync")

    def version(self):
        return " ".join(said("rsync", "--version").split()[:3])

    def rsync(self, *words):
        return Way(self.ground.program("rsync"), *(["--fsync"] if self.durable else []), *words)

    def put(self, source, name):
        return self.rsync("-W", source, self.there(name))

    def get(self, name, target):
        return self.rsync("-W", self.there(name), f"{target}/")

    def put_tree(self, source, name):
        return self.rsync("-a", f"{source}/", self.there(name + "/"))

    def get_tree(self, name, target, source):
        return self.rsync("-a", self.there(name + "/"), f"{target}/")

    def again(self, source, name):
        return self.rsync("-a", f"{source}/", self.there(name + "/"))

    def again_file(self, source, name):
        return self.rsync("--ignore-times", "--no-whole-file", source, self.there(name))

    def begin_put(self, source, name):
        return self.rsync("--inplace", source, self.there(name))

    def go_on_put(self, source, name):
        return self.rsync("--append-verify", source, self.there(name))

    def begin_get(self, name, target):
        return self.rsync("--inplace", self.there(name), f"{target}/")

    def go_on_get(self, name, target):
        return self.rsync("--append-verify", self.there(name), f"{target}/")

    def list(self, name):
        return self.rsync("--list-only", self.there(name + "/"))

    def names_in(self, text):
        return sum(1 for line in text.splitlines() if line.startswith(b"-"))


class RsyncDaemon(Rsync):
    name = "rsyncd"

    def serve(self, root, state):
        port = measure.free_port()
        conf = Path(state) / "conf"
        conf.write_text(f"""port = {port}
address = 127.0.0.1
use chroot = no
max connections = 0
uid = {os.getuid()}
gid = {os.getgid()}
[peer]
path = {root}
read only = no
""")
        return measure.Server(self.name, [self.ground.program("rsync"), "--daemon", "--no-detach", f"--config={conf}"], port,
                              self.ground.scratch.path / f"log-{self.name}", forks=True)

    def there(self, name):
        return f"rsync://127.0.0.1:{self.port}/peer/{name}"

    def idle(self):
        raise CannotDo("keeps no connection open")


class RsyncDaemonFsync(RsyncDaemon):
    name, durable, twin = "rsyncd-fsync", True, True


class RsyncSsh(Rsync, OverSsh):
    name, line = "rsync-ssh", ENCRYPTED

    def rsync(self, *words):
        ssh = " ".join(str(word) for word in ["ssh", "-p", self.port, *self.options])
        return super().rsync("-e", ssh, *words)

    def idle(self):
        raise CannotDo("keeps no connection open")


class RsyncSshFsync(RsyncSsh):
    name, durable, twin = "rsync-ssh-fsync", True, True


class Rclone(Lane):
    """Eight files at once; checks sizes. Over SFTP it would ask for a checksum of each file by a shell of its own; that is off."""

    peer = "rclone"

    def needs(self):
        super().needs()
        self.ground.program("rclone")

    def version(self):
        return said("rclone", "version")

    def rclone(self, *words):
        return Way(self.ground.program("rclone"), "--config", "/dev/null", "--cache-dir", self.ground.home / "rclone", *words,
                   env={"HOME": str(self.ground.home)})

    def put(self, source, name):
        return self.rclone("copyto", source, self.there(name))

    def get(self, name, target):
        return self.rclone("copyto", self.there(name), Path(target) / name)

    def put_tree(self, source, name):
        return self.rclone("copy", "--transfers", 8, source, self.there(name))

    def get_tree(self, name, target, source):
        return self.rclone("copy", "--transfers", 8, self.there(name), target)

    def again(self, source, name):
        return self.rclone("copy", "--transfers", 8, source, self.there(name))

    def list(self, name):
        return self.rclone("lsjson", "--no-mimetype", self.there(name))

    def names_in(self, text):
        return text.count(b'"Path":')

    def idle(self):
        raise CannotDo("keeps no connection open")


class RcloneWebdav(Rclone):
    name = "rclone-webdav"

    def serve(self, root, state):
        port = measure.free_port()
        argv = self.rclone("serve", "webdav", "--addr", f"127.0.0.1:{port}", root).argv
        return measure.Server(self.name, argv, port, self.ground.scratch.path / f"log-{self.name}",
                              env={"HOME": str(self.ground.home)})

    def there(self, name):
        return f":webdav,url='http://127.0.0.1:{self.port}',vendor=other:{name}"

    def again(self, source, name):
        raise CannotDo("its WebDAV keeps no modified times to compare")

    def idle(self):
        return "http", "/"


class RcloneSftp(Rclone, OverSsh):
    name = "rclone-sftp"
    line = ENCRYPTED

    def version(self):
        return Rclone.version(self)

    def there(self, name):
        key = self.ground.scratch.path / "ssh" / "key"
        return f":sftp,host=127.0.0.1,port={self.port},user={os.environ.get('USER', 'root')},key_file={key},shell_type=unix,disable_hashcheck=true:{self.root}/{name}"

    def idle(self):
        raise CannotDo("keeps no connection open")


ALL = [RsyncDaemon, RsyncDaemonFsync, RcloneWebdav, Scp, RsyncSsh, RsyncSshFsync, RcloneSftp]
