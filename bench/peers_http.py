"""Peers that speak HTTP: nginx, dufs, miniserve, copyparty; curl is their client."""

import json
from pathlib import Path

import data
import measure
from lanes import ENCRYPTED, CannotDo, Lane, curl, curl_many, said
from measure import Way


class Http(Lane):
    """PUT and GET by curl, many files over eight connections that are kept."""

    def needs(self):
        self.ground.program("curl")
        if self.line == ENCRYPTED:
            self.ground.certificate()

    @property
    def scheme(self):
        return "https" if self.line == ENCRYPTED else "http"

    def at(self, name):
        return f"{self.scheme}://localhost:{self.port}/{name}"

    def put(self, source, name):
        return curl(self, "-T", source, self.at(name))

    def get(self, name, target):
        # As the others do: into a folder under its own name.
        return curl(self, self.at(name), "-o", Path(target) / Path(name).name)

    def put_tree(self, source, name):
        pairs = [pair for file in data.files(source)
                 for pair in (("upload-file", Path(source) / file), ("url", self.at(f"{name}/{file}")))]
        return curl_many(self, pairs)

    def get_tree(self, name, target, source):
        pairs = [pair for file in data.files(source)
                 for pair in (("url", self.at(f"{name}/{file}")), ("output", Path(target) / file))]
        return curl_many(self, pairs, "--create-dirs")

    def go_on_get(self, name, target):
        return curl(self, "-C", "-", self.at(name), "-o", Path(target) / Path(name).name)

    def idle(self):
        return "http", "/"


class Nginx(Http):
    name = peer = "nginx"

    def needs(self):
        super().needs()
        self.ground.program("nginx")

    def version(self):
        return said("nginx", "-v").replace("nginx version: ", "")

    def serve(self, root, state):
        port = measure.free_port()
        tls = ""
        if self.line == ENCRYPTED:
            tls = f"ssl_certificate {self.ground.cert}; ssl_certificate_key {self.ground.key};"
        conf = Path(state) / "conf"
        user = "user root;" if Path("/proc/self").stat().st_uid == 0 else ""
        conf.write_text(f"""{user} pid {state}/pid; error_log {state}/error; daemon off; worker_processes auto;
events {{ worker_connections 4096; }}
http {{
    access_log off; sendfile on; tcp_nopush on; client_max_body_size 0; keepalive_requests 1000000;
    client_body_temp_path {root}/.body; {tls}
    proxy_temp_path {state}/proxy; fastcgi_temp_path {state}/fastcgi; uwsgi_temp_path {state}/uwsgi; scgi_temp_path {state}/scgi;
    server {{
        listen 127.0.0.1:{port}{" ssl" if tls else ""}; root {root};
        dav_methods PUT DELETE MKCOL; create_full_put_path on; autoindex on; autoindex_format json;
    }}
}}
""")
        return measure.Server(self.name, [self.ground.program("nginx"), "-e", f"{state}/error", "-c", conf], port,
                              self.ground.scratch.path / f"log-{self.name}")

    def list(self, name):
        return curl(self, self.at(name + "/"))

    def names_in(self, text):
        return len(json.loads(text))


class NginxTls(Nginx):
    name, line = "nginx-tls", ENCRYPTED


class Dufs(Http):
    name = peer = "dufs"

    def needs(self):
        super().needs()
        self.ground.program("dufs")

    def version(self):
        return said("dufs", "--version")

    def serve(self, root, state):
        port = measure.free_port()
        tls = ["--tls-cert", self.ground.cert, "--tls-key", self.ground.key] if self.line == ENCRYPTED else []
        return measure.Server(
            self.name, [self.ground.program("dufs"), "-A", "--bind", "127.0.0.1", "--port", port, "--log-format", "", *tls, root],
            port, self.ground.scratch.path / f"log-{self.name}")

    def go_on_put(self, source, name):
        # What it has of it lies under the name already; the rest is added.
        have = (Path(self.root) / name).stat().st_size
        trust = f"--cacert {self.ground.cert}" if self.line == ENCRYPTED else ""
        return Way("sh", "-c", f"tail -c +{have + 1} '{source}' | curl -sS --fail {trust} -X PATCH "
                   f"-H 'X-Update-Range: append' -T - '{self.at(name)}'")

    def list(self, name):
        return curl(self, self.at(name + "/?json"))

    def names_in(self, text):
        return len(json.loads(text)["paths"])


class DufsTls(Dufs):
    name, line = "dufs-tls", ENCRYPTED


class Miniserve(Http):
    """Uploads are forms; a form may hold many files, of one folder."""

    name = peer = "miniserve"

    def needs(self):
        super().needs()
        self.ground.program("miniserve")

    def version(self):
        return said("miniserve", "--version")

    def serve(self, root, state):
        port = measure.free_port()
        tls = ["--tls-cert", self.ground.cert, "--tls-key", self.ground.key] if self.line == ENCRYPTED else []
        return measure.Server(
            self.name, [self.ground.program("miniserve"), "-i", "127.0.0.1", "-p", port, "-u", "--mkdir", *tls, root],
            port, self.ground.scratch.path / f"log-{self.name}")

    def put(self, source, name):
        return curl(self, "-o", "/dev/null", "-F", f"path=@{source};filename={name}", self.at("upload?path=/"))

    def put_tree(self, source, name):
        folders = sorted({str(file.parent) for file in data.files(source)})
        # Options hold until the next `next`.
        always = [("silent", None), ("fail", None), ("output", "/dev/null")]
        always += [("cacert", self.ground.cert)] if self.line == ENCRYPTED else []
        rows = [*always, ("form", f"mkdir={name}"), ("url", self.at("upload?path=/"))]
        for folder in folders:
            rows += [("next", None), *always, ("form", f"mkdir={folder}"), ("url", self.at(f"upload?path=/{name}"))]
        made = self.ground.curl_list(rows)
        rows = []
        for folder in folders:
            rows += [("next", None)] if rows else []
            rows += [*always, ("url", self.at(f"upload?path=/{name}/{folder}"))]
            rows += [("form", f"path=@{file}") for file in sorted((Path(source) / folder).iterdir())]
        sent = self.ground.curl_list(rows)
        return Way("sh", "-c", f"curl -K {made} && curl --parallel --parallel-max 8 -K {sent}")

    def list(self, name):
        raise CannotDo("lists for people only, with rounded sizes")


class MiniserveTls(Miniserve):
    name, line = "miniserve-tls", ENCRYPTED


class Copyparty(Http):
    """One file by curl; many, and what goes on after a cut, by its own u2c, which verifies."""

    name = peer = "copyparty"

    def needs(self):
        super().needs()
        self.ground.program("copyparty")
        self.ground.program("u2c")

    def version(self):
        return said("copyparty", "--version")

    def serve(self, root, state):
        port = measure.free_port()
        # One line of it is the plain one: it would answer both.
        return measure.Server(
            self.name, [self.ground.program("copyparty"), "-q", "-i", "127.0.0.1", "-p", port, "--http-only",
                        "--hist", Path(state) / "hist", "-v", f"{root}::rwd"],
            port, self.ground.scratch.path / f"log-{self.name}",
            env={"XDG_CONFIG_HOME": str(self.ground.home), "PRTY_CONFIG": ""})

    def u2c(self, *words):
        return Way(self.ground.program("u2c"), "-ns", "-j", 4, *words, env={"HOME": str(self.ground.home)})

    def put_tree(self, source, name):
        return self.u2c(self.at(name + "/"), f"{source}/")

    def again(self, source, name):
        return self.u2c("-z", "--ow", self.at(name + "/"), f"{source}/")

    def begin_put(self, source, name):
        return self.u2c(self.at(""), Path(source).with_name(name))

    def go_on_put(self, source, name):
        return self.begin_put(source, name)

    def list(self, name):
        return curl(self, self.at(name + "/?ls"))

    def names_in(self, text):
        told = json.loads(text)
        return len(told["files"]) + len(told["dirs"])


ALL = [Nginx, Dufs, Miniserve, Copyparty, NginxTls, DufsTls, MiniserveTls]
