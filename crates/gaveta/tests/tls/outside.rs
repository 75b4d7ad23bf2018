//! Off the loopback: encrypted without being asked, with a certificate of the server's own.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream, UdpSocket};

use crate::house::{House, PATIENCE, fingerprint, run};

/// An address of this machine that is no loopback. Nothing is sent.
fn outward() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

#[test]
fn what_others_can_reach_is_encrypted() {
    let Some(ip) = outward() else {
        assert!(std::env::var_os("CI").is_none(), "CI must have a network");
        eprintln!("skipped: this machine has no address but the loopback");
        return;
    };
    let house = House::start("0.0.0.0", 0, &[], |_| {});
    let log = house.log();
    assert!(
        log.contains(&format!("https://{ip}:{}/", house.port)),
        "{log}"
    );
    assert!(
        log.contains("Fingerprint: SHA256:") && log.contains("encrypted"),
        "{log}"
    );
    let home = tempfile::tempdir().unwrap();
    let place = format!("{ip}:{}", house.port);
    let unknown = run(home.path(), &["list", &place]).ends(4);
    assert!(
        unknown.err.contains(&fingerprint(&house)),
        "{}",
        unknown.err
    );
    // Without encryption nothing is served, and no password is even sent.
    let plain = format!("http://{place}/theirs.txt");
    run(home.path(), &["list", &format!("http://{place}/")]).ends(4);
    let told = run(home.path(), &["delete", &plain, "hunter2"]).ends(4);
    assert!(!told.err.contains("hunter2"));
    assert!(house.served("theirs.txt").is_some());
    // This machine itself may talk plainly, but it is not the only one any more: who does not sign
    // in sees nothing.
    let ask = |fields: &str| {
        let mut line = TcpStream::connect(("127.0.0.1", house.port)).unwrap();
        line.set_read_timeout(Some(PATIENCE)).unwrap();
        let text = format!(
            "GET /theirs.txt HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{fields}\r\n"
        );
        line.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("").starts_with("HTTP/1.1 401"), "{}", ask(""));
    let admin = "Authorization: Basic YWRtaW46Y29ycmVjdCBob3JzZSBiYXR0ZXJ5\r\n";
    assert!(ask(admin).starts_with("HTTP/1.1 200"), "{}", ask(admin));
}
