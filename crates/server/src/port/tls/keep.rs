//! Keeps the certificate fit: files that change are read again, one's own is made anew, ACME is
//! asked, and who runs the server hears of an end that comes near.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::certificate::Certificate;
use super::files::{self, Stamp};
use super::problem::TlsProblem;
use super::shown::Shown;
use super::{Identity, acme, own};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// From so much before its end on, a certificate is made anew or warned about.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Never ends.
pub(super) async fn keep(identity: &Identity, shown: &Shown) {
    match identity {
        Identity::Own { folder, names } => loop {
            sleep(DAY).await;
            if shown.now().left().is_none_or(|left| left < SOON) {
                let (folder, names) = (folder.clone(), names.clone());
                let made = blocking(move || own::certificate(&folder, &names)).await;
                exchange(shown, made);
            }
        },
        Identity::Files { certificate, key } => watch(certificate, key, shown).await,
        Identity::Acme(plan) => acme::keep(plan, shown).await,
    }
}

/// A pair that does not fit is never shown: the old one stays until both files are right.
async fn watch(certificate: &Path, key: &Path, shown: &Shown) {
    let (certificate, key) = (certificate.to_owned(), key.to_owned());
    // Not looked at yet: the files may have changed since they were read at the start.
    let mut known = Stamp::default();
    let mut warned = None::<Instant>;
    loop {
        if warned.is_none_or(|at| at.elapsed() >= DAY) {
            warn(&shown.now());
            warned = Some(Instant::now());
        }
        sleep(LOOK).await;
        let paths = (certificate.clone(), key.clone());
        let Ok(stamp) = tokio::task::spawn_blocking(move || Stamp::of(&[&paths.0, &paths.1])).await
        else {
            continue;
        };
        if stamp == known {
            continue;
        }
        known = stamp;
        let paths = (certificate.clone(), key.clone());
        exchange(
            shown,
            blocking(move || files::read(&paths.0, &paths.1)).await,
        );
        warned = None;
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TlsProblem> + Send + 'static,
) -> Result<T, TlsProblem> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(TlsProblem::tls)?
}

fn exchange(shown: &Shown, next: Result<Certificate, TlsProblem>) {
    match next {
        Ok(next) if next.key.cert == shown.now().key.cert => {}
        Ok(next) => {
            tracing::info!(
                target: "gaveta::tls", fingerprint = %next.fingerprint,
                names = gaveta_text::escape(&next.names.join(", ")).as_ref(), "new certificate"
            );
            shown.show(next);
        }
        Err(problem) => {
            let why = gaveta_text::escape(&problem.to_string()).into_owned();
            tracing::warn!(target: "gaveta::tls", why, "the old certificate stays");
        }
    }
}

/// Tells of an end that is near or past, and of a beginning that is still to come.
pub(super) fn warn(certificate: &Certificate) {
    match certificate.left() {
        _ if certificate.is_early() => {
            tracing::warn!(target: "gaveta::tls", "the certificate is not good yet, or the clock is wrong");
        }
        None => tracing::warn!(target: "gaveta::tls", "the certificate has expired"),
        Some(left) if left < SOON => tracing::warn!(
            target: "gaveta::tls", days = left.as_secs() / DAY.as_secs(),
            "the certificate expires soon"
        ),
        Some(_) => {}
    }
}
