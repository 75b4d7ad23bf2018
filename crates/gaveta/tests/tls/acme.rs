//! A certificate from a real ACME server for tests (Pebble), which resolves every name to this
//! machine and looks at our port by TLS-ALPN-01.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::house::{House, PATIENCE, pair};

/// A process that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program)
        .arg("-h")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "CI must have {program}");
        eprintln!("skipped: there is no {program}");
    }
    found
}

/// Ports that were free a moment ago.
fn ports<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|socket| socket.local_addr().unwrap().port())
}

fn start(program: &str, args: &[&str], log: &Path, listens: u16) -> Ends {
    let file = File::create(log).unwrap();
    let child = Command::new(program)
        .args(args)
        .env("PEBBLE_VA_NOSLEEP", "1")
        // Refusing good nonces now and then is its way to test clients.
        .env("PEBBLE_WFE_NONCEREJECT", "20")
        .stdin(Stdio::null())
        .stdout(Stdio::from(file.try_clone().unwrap()))
        .stderr(Stdio::from(file))
        .spawn()
        .unwrap();
    let child = Ends(child);
    let since = Instant::now();
    while TcpStream::connect(("127.0.0.1", listens)).is_err() {
        assert!(
            since.elapsed() < PATIENCE,
            "{}",
            fs::read_to_string(log).unwrap()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn curl(args: &[&str]) -> (bool, String) {
    let done = Command::new("curl")
        .args(["-sS", "--max-time", "30"])
        .args(args)
        .output()
        .unwrap();
    let text = [done.stdout, done.stderr].concat();
    (
        done.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn an_authority_gives_a_certificate_and_it_is_kept() {
    if !["pebble", "pebble-challtestsrv", "curl"]
        .into_iter()
        .all(is_there)
    {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let its = pair(folder.path(), "pebble");
    let [directory, management, names, control, ours] = ports();
    let config = serde_json::json!({"pebble": {
        "listenAddress": format!("127.0.0.1:{directory}"),
        "managementListenAddress": format!("127.0.0.1:{management}"),
        "certificate": its.certificate, "privateKey": its.key,
        "httpPort": 1, "tlsPort": ours,
        "ocspResponderURL": "", "externalAccountBindingRequired": false,
    }});
    fs::write(at("pebble.json"), config.to_string()).unwrap();
    let dns = format!("127.0.0.1:{names}");
    let _names = start(
        "pebble-challtestsrv",
        &[
            "-defaultIPv6",
            "",
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-dns01",
            &dns,
            "-management",
            &format!("127.0.0.1:{control}"),
        ],
        &at("names.log"),
        control,
    );
    let pebble_config = at("pebble.json");
    let _pebble = start(
        "pebble",
        &[
            "-config",
            pebble_config.to_str().unwrap(),
            "-dnsserver",
            &dns,
        ],
        &at("pebble.log"),
        directory,
    );
    let options = [
        "--acme",
        "files.example",
        "--acme-contact",
        "ana@example.org",
        "--acme-directory",
        &format!("https://127.0.0.1:{directory}/dir"),
    ]
    .map(str::to_owned);
    let trusting = |command: &mut Command| {
        command.env("SSL_CERT_FILE", &its.authority);
    };
    let mut house = House::start("127.0.0.1", ours, &options, trusting);
    house.wait_for(": certificate by ACME");

    // Whoever trusts the authority is served under the name, and nobody else.
    let (_, root) = curl(&["-k", &format!("https://127.0.0.1:{management}/roots/0")]);
    fs::write(at("root.pem"), root).unwrap();
    let url = format!("https://files.example:{ours}/.gaveta/health");
    let here = format!("files.example:{ours}:127.0.0.1");
    let root = at("root.pem");
    let ask = [
        "--cacert",
        root.to_str().unwrap(),
        "--resolve",
        &here,
        "-i",
        &url,
    ];
    let (good, text) = curl(&ask);
    assert!(good && text.contains("\"ok\""), "{text}");
    assert!(
        text.to_lowercase().contains("strict-transport-security"),
        "{text}"
    );
    assert!(!curl(&["--resolve", &here, &url]).0);

    // It is there again after a restart, without another order.
    let state = house.home.path().join("server/tls");
    for name in ["acme-certificate.pem", "acme-key.pem"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(state.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(house.log().matches(": certificate by ACME").count() == 1);
}
