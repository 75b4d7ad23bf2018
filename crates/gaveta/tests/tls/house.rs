//! A real server that speaks TLS, whose log is read.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::common::{PASSWORD, Run, finish, gaveta};

/// Nothing here takes long; what does hangs.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A certificate and its key in files, for 127.0.0.1 and `files.example`.
#[derive(Debug, Clone)]
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Who signed it.
    pub authority: PathBuf,
}

/// A pair of this name, signed by an authority of its own.
pub fn pair(folder: &Path, name: &str) -> Pair {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let names = ["127.0.0.1", "localhost", "files.example"].map(str::to_owned);
    let params = CertificateParams::new(names.to_vec()).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let file = |end: &str, text: String| {
        let path = folder.join(format!("{name}.{end}"));
        fs::write(&path, text).unwrap();
        path
    };
    Pair {
        certificate: file("crt", certificate.pem()),
        key: file("key", key.serialize_pem()),
        authority: file("ca", authority.pem()),
    }
}

/// A server and the folders of its client.
#[derive(Debug)]
pub struct House {
    server: Child,
    pub port: u16,
    pub home: TempDir,
    served: TempDir,
    log: PathBuf,
}

impl House {
    /// On the loopback, with this pair.
    pub fn open(pair: &Pair) -> Self {
        Self::at(pair, 0)
    }

    pub fn at(pair: &Pair, port: u16) -> Self {
        let options = [
            "--tls-cert".to_owned(),
            pair.certificate.display().to_string(),
            "--tls-key".to_owned(),
            pair.key.display().to_string(),
        ];
        Self::start("127.0.0.1", port, &options, |_| {})
    }

    pub fn start(
        host: &str,
        port: u16,
        options: &[String],
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let (home, served) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(served.path().join("theirs.txt"), "from the server").unwrap();
        let secret = home.path().join("password");
        fs::write(&secret, format!("{PASSWORD}\n")).unwrap();
        let log = home.path().join("log");
        let file = File::create(&log).unwrap();
        let mut command = gaveta();
        command
            .args(["serve", "--host", host, "--port", &port.to_string()])
            .arg("--admin-password-file")
            .arg(&secret)
            .arg("--state-dir")
            .arg(home.path().join("server"))
            .args(options)
            .arg(served.path())
            .stdout(Stdio::from(file.try_clone().unwrap()))
            .stderr(Stdio::from(file));
        change(&mut command);
        let server = command.spawn().unwrap();
        let mut house = Self {
            server,
            port,
            home,
            served,
            log,
        };
        house.wait_for("serving");
        let log = house.log();
        let place = log.split("addresses=\"").nth(1).expect(&log);
        let place = place.split(['"', ',']).next().unwrap();
        house.port = place.rsplit(':').next().unwrap().parse().unwrap();
        house
    }

    /// What the server said and logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Until the server says this.
    #[track_caller]
    pub fn wait_for(&mut self, words: &str) {
        let since = Instant::now();
        while !self.log().contains(words) {
            if let Some(status) = self.server.try_wait().unwrap() {
                panic!("the server ended ({status}):\n{}", self.log());
            }
            assert!(
                since.elapsed() < PATIENCE,
                "no {words:?} in:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many requests reached it.
    pub fn requests(&self) -> usize {
        self.log().matches("gaveta::request").count()
    }

    pub fn served(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.served.path().join(name)).ok()
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}/{path}", self.port)
    }

    pub fn stop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A client that keeps what it knows in this home.
pub fn client(home: &Path, locale: &str, args: &[&str]) -> Command {
    let mut command = gaveta();
    command
        .args(args)
        .current_dir(home)
        .env("HOME", home)
        .env("LC_ALL", locale)
        .env("TZ", "UTC");
    command
}

pub fn run(home: &Path, args: &[&str]) -> Run {
    finish(client(home, "en_US.UTF-8", args), b"")
}

/// The file with what the client knows.
pub fn known(home: &Path) -> PathBuf {
    home.join(".local/state/gaveta/known_servers")
}

/// The fingerprint that the server says it has.
pub fn fingerprint(house: &House) -> String {
    let log = house.log();
    let start = log.find("SHA256:").expect(&log);
    log[start..].split_whitespace().next().unwrap().to_owned()
}
