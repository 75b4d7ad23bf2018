//! The certificate that handshakes show now. It may be exchanged at any time: who shakes hands
//! already goes on with the old one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::Certificate;

/// What is shown.
#[derive(Debug)]
pub(crate) struct Shown {
    now: RwLock<Arc<Certificate>>,
    /// The answers to an ACME server's challenges, by name.
    challenges: Mutex<HashMap<String, Arc<CertifiedKey>>>,
    provider: Arc<CryptoProvider>,
}

impl Shown {
    pub(super) fn new(first: Certificate) -> Self {
        Self {
            now: RwLock::new(Arc::new(first)),
            challenges: Mutex::default(),
            provider: super::provider(),
        }
    }

    pub(super) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    /// The one that is shown.
    pub(crate) fn now(&self) -> Arc<Certificate> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this one.
    pub(super) fn show(&self, next: Certificate) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }

    /// Shows this to who asks for the challenge of this name, until it is taken back.
    pub(super) fn challenge(&self, name: &str, answer: Option<Arc<CertifiedKey>>) {
        let mut challenges = self
            .challenges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match answer {
            Some(answer) => challenges.insert(name.to_owned(), answer),
            None => challenges.remove(name),
        };
    }

    /// Is the certificate for this name or address? A `*` stands for one whole label.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        self.now().names.iter().any(|name| {
            if name == bare {
                return true;
            }
            let wild = name.strip_prefix("*.");
            wild.is_some_and(|rest| {
                bare.split_once('.')
                    .is_some_and(|(label, parent)| !label.is_empty() && parent == rest)
            })
        })
    }
}

impl ResolvesServerCert for Shown {
    /// Whatever name the client asks for: who connects by an address, or by a name that is not in
    /// the certificate, is told by the certificate itself.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asks = |protocol: &[u8]| {
            hello
                .alpn()
                .is_some_and(|mut offered| offered.any(|one| one == protocol))
        };
        if asks(super::ACME) {
            let name = hello.server_name()?.to_ascii_lowercase();
            let challenges = self
                .challenges
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            return challenges.get(&name).cloned();
        }
        Some(Arc::clone(&self.now().key))
    }
}
