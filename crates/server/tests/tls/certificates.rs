//! Certificates that change, expire and do not fit.

use std::fs;
use std::time::{Duration, Instant};

use gaveta_server::{Identity, Tls, TlsProblem};
use gaveta_wire::fingerprint::Fingerprint;

use crate::harness::{ADMIN, ALL, HUNG, House, get, pair, shake};

/// Until this is shown.
async fn shows(house: &House, wanted: Fingerprint) {
    let since = Instant::now();
    loop {
        let (_, shown) = shake(house.address(), "files.example", &[], ALL)
            .await
            .unwrap();
        if shown == wanted {
            return;
        }
        assert!(since.elapsed() < HUNG, "{shown} is still shown");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn files_that_change_are_read_again_and_a_pair_that_does_not_fit_is_not_shown() {
    let home = tempfile::tempdir().unwrap();
    let (certificate, key) = pair(home.path(), "now", -1, 90);
    let (next, next_key) = pair(home.path(), "next", -1, 90);
    let (last, last_key) = pair(home.path(), "last", -1, 90);
    let identity = |certificate: &std::path::Path, key: &std::path::Path| Identity::Files {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    };
    let shown = |certificate, key| {
        Tls::ready(identity(certificate, key))
            .unwrap()
            .fingerprint()
    };
    let (first, third) = (shown(&certificate, &key), shown(&last, &last_key));
    let house = House::of(home, identity(&certificate, &key), |_| {}).await;
    let mut open = house.line().await;
    shows(&house, first).await;
    // Half of a renewal: the old one stays.
    fs::rename(&next, &certificate).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    shows(&house, first).await;
    drop(next_key);
    fs::rename(&last, &certificate).unwrap();
    fs::rename(&last_key, &key).unwrap();
    shows(&house, third).await;
    // Who was connected goes on.
    let text = get("/", "localhost", ADMIN);
    assert_eq!(crate::harness::exchange(&mut open, &text).await.0, 200);
    // Its names are names of the server.
    assert_eq!(house.ask(&get("/", "files.example", ADMIN)).await.0, 200);
}

#[tokio::test]
async fn the_fingerprint_is_the_same_after_a_restart() {
    let house = House::new().await;
    let first = house.tls.fingerprint();
    let again = Tls::ready(Identity::Own {
        folder: house.home.path().join("tls"),
        names: vec!["other.example".to_owned()],
    })
    .unwrap();
    assert_eq!(again.fingerprint(), first);
    let (_, shown) = shake(house.address(), "x.example", &[], ALL).await.unwrap();
    assert_eq!(shown, first);
}

#[test]
fn what_does_not_fit_has_its_name() {
    let home = tempfile::tempdir().unwrap();
    let (certificate, key) = pair(home.path(), "a", -1, 90);
    let (other, other_key) = pair(home.path(), "b", -1, 90);
    let nothing = home.path().join("nothing");
    let empty = home.path().join("empty");
    fs::write(&empty, "no PEM").unwrap();
    let refused = |certificate: &std::path::Path, key: &std::path::Path| {
        Tls::ready(Identity::Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        })
        .unwrap_err()
    };
    let problem = refused(&certificate, &other_key);
    assert!(matches!(problem, TlsProblem::Mismatch(..)), "{problem}");
    let problem = refused(&other, &key);
    assert!(matches!(problem, TlsProblem::Mismatch(..)), "{problem}");
    let problem = refused(&nothing, &key);
    assert!(matches!(problem, TlsProblem::File(..)), "{problem}");
    let problem = refused(&empty, &key);
    assert!(matches!(problem, TlsProblem::NoCertificate(_)), "{problem}");
    let problem = refused(&key, &key);
    assert!(matches!(problem, TlsProblem::NoCertificate(_)), "{problem}");
    let problem = refused(&certificate, &empty);
    assert!(matches!(problem, TlsProblem::NoKey(_)), "{problem}");
    let problem = refused(&certificate, &certificate);
    assert!(matches!(problem, TlsProblem::NoKey(_)), "{problem}");
    let problem = refused(home.path(), &key);
    assert!(matches!(problem, TlsProblem::File(..)), "{problem}");
}

/// It is shown all the same: whoever runs the server was told, and clients say so.
#[test]
fn an_expired_certificate_says_until_when_it_was_good() {
    let home = tempfile::tempdir().unwrap();
    let (certificate, key) = pair(home.path(), "old", -30, -1);
    let tls = Tls::ready(Identity::Files { certificate, key }).unwrap();
    assert!(tls.expires() < std::time::SystemTime::now());
    assert!(!tls.is_own());
}
