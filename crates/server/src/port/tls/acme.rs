//! A certificate from an authority that speaks ACME (RFC 8555), which looks by TLS-ALPN-01
//! (RFC 8737), on our own port, whether a name is ours.

mod line;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount,
    NewOrder, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use super::certificate::Certificate;
use super::keep::{blocking, warn};
use super::problem::TlsProblem;
use super::shown::Shown;
use super::{files, own};

/// The files within the folder.
const CHAIN: &str = "acme-certificate.pem";
const KEY: &str = "acme-key.pem";
/// How often it is looked whether a new certificate is due.
const LOOK: Duration = Duration::from_secs(60 * 60);
/// From the first failure on, and at most: authorities count failures, and hold them against one.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 60 * 60);
/// How long an authority may take to look, and to sign.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to ask an authority for.
#[derive(Debug, Clone)]
pub struct AcmePlan {
    /// The names, of which each must lead to this port as port 443.
    pub domains: Vec<String>,
    /// The authority's directory.
    pub directory: String,
    /// Where it may write to: `mailto:` and an address.
    pub contact: Vec<String>,
    /// Where account, key and certificate are kept.
    pub folder: PathBuf,
}

impl AcmePlan {
    /// The directory of Let's Encrypt.
    pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

    /// One file for each authority.
    fn account_file(&self) -> String {
        let digest = Sha256::digest(self.directory.as_bytes());
        let name = URL_SAFE_NO_PAD.encode(digest.get(..9).unwrap_or_default());
        format!("acme-account-{name}.json")
    }
}

/// What was kept, if it is good for all the names still; else one of the server's own.
///
/// # Errors
/// As [`own::certificate`].
pub(super) fn kept_or_own(plan: &AcmePlan) -> Result<Certificate, TlsProblem> {
    match files::read(&plan.folder.join(CHAIN), &plan.folder.join(KEY)) {
        Ok(kept)
            if kept.left().is_some()
                && plan
                    .domains
                    .iter()
                    .all(|domain| kept.names.contains(domain)) =>
        {
            Ok(kept)
        }
        _ => own::certificate(&plan.folder, &plan.domains),
    }
}

/// Is it time to ask? When a third of the time is left, as authorities advise.
fn is_due(now: &Certificate) -> bool {
    let whole = now.expires.duration_since(now.begins).unwrap_or_default();
    now.own || now.left().is_none_or(|left| left < whole / 3)
}

/// Asks again and again. Never ends.
pub(super) async fn keep(plan: &AcmePlan, shown: &Shown) {
    let failed = |why: String, pause: Duration| {
        let why = gaveta_text::escape(&why).into_owned();
        let again_in = pause.as_secs();
        tracing::warn!(target: "gaveta::tls", why, again_in, "no certificate by ACME yet");
        if !shown.now().own {
            warn(&shown.now());
        }
    };
    let is_due = || is_due(&shown.now());
    tend(is_due, || obtain(plan, shown), failed).await;
}

/// Asks whenever it is due, and pauses every time: a certificate that is due as soon as it is
/// there is no reason to ask without end. Who is told of a failure is told how long it pauses.
async fn tend<A>(is_due: impl Fn() -> bool, ask: impl Fn() -> A, failed: impl Fn(String, Duration))
where
    A: Future<Output = Result<(), String>>,
{
    let mut next = FIRST_PAUSE;
    loop {
        let mut pause = LOOK;
        if is_due() {
            match ask().await {
                Ok(()) => next = FIRST_PAUSE,
                Err(why) => {
                    pause = next;
                    next = (next * 2).min(LONGEST_PAUSE);
                    failed(why, pause);
                }
            }
        }
        sleep(pause).await;
    }
}

async fn obtain(plan: &AcmePlan, shown: &Shown) -> Result<(), String> {
    let told = |error: Error| error.to_string();
    let account = account(plan, shown.provider()).await?;
    let names: Vec<_> = plan.domains.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account
        .new_order(&NewOrder::new(&names))
        .await
        .map_err(told)?;
    // Whatever comes of it, no challenge is answered any longer.
    let _until_done = Challenges(shown, &plan.domains);
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(told)?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            other => return Err(format!("authorization is {other:?}")),
        }
        let mut challenge = authorization
            .challenge(ChallengeType::TlsAlpn01)
            .ok_or("the authority offers no tls-alpn-01")?;
        let name = challenge.identifier().to_string();
        let digest = challenge.key_authorization().digest();
        let answer = answer(&name, digest.as_ref(), shown.provider())?;
        shown.challenge(&name, Some(answer));
        challenge.set_ready().await.map_err(told)?;
    }
    let patience = RetryPolicy::new().timeout(PATIENCE).backoff(1.5);
    match order.poll_ready(&patience).await.map_err(told)? {
        OrderStatus::Ready => {}
        other => {
            let mut why = format!("the order is {other:?}");
            let mut authorizations = order.authorizations();
            while let Some(Ok(authorization)) = authorizations.next().await {
                let failed = authorization.challenges.iter();
                for problem in failed.filter_map(|challenge| challenge.error.as_ref()) {
                    why.push_str(&format!("; {problem}"));
                }
            }
            return Err(why);
        }
    }
    let key = KeyPair::generate().map_err(|error| error.to_string())?;
    let mut wanted =
        CertificateParams::new(plan.domains.clone()).map_err(|error| error.to_string())?;
    wanted.distinguished_name = rcgen::DistinguishedName::new();
    let wanted = wanted
        .serialize_request(&key)
        .map_err(|error| error.to_string())?;
    order.finalize_csr(wanted.der()).await.map_err(told)?;
    let chain = order.poll_certificate(&patience).await.map_err(told)?;
    let folder = plan.folder.clone();
    let got = blocking(move || {
        let secret = zeroize::Zeroizing::new(key.serialize_pem());
        // A crash in between leaves a pair that does not fit, and so a new order.
        own::replace(&folder, KEY, secret.as_bytes())?;
        own::replace(&folder, CHAIN, chain.as_bytes())?;
        files::read(&folder.join(CHAIN), &folder.join(KEY))
    })
    .await
    .map_err(|problem| problem.to_string())?;
    if let Some(lacking) = plan.domains.iter().find(|name| !got.names.contains(name)) {
        return Err(format!("the authority's certificate is not for {lacking}"));
    }
    let (fingerprint, names) = (got.fingerprint.to_string(), got.names.join(", "));
    let names = gaveta_text::escape(&names);
    shown.show(got);
    // Whoever reads this finds it shown.
    tracing::info!(
        target: "gaveta::tls", fingerprint, names = names.as_ref(), "certificate by ACME"
    );
    Ok(())
}

/// Answers no challenges any more when dropped.
struct Challenges<'a>(&'a Shown, &'a [String]);

impl Drop for Challenges<'_> {
    fn drop(&mut self) {
        for name in self.1 {
            self.0.challenge(name, None);
        }
    }
}

/// The account of this authority: the kept one, or a new one.
async fn account(plan: &AcmePlan, provider: &Arc<CryptoProvider>) -> Result<Account, String> {
    let client = || line::Line::new(Arc::clone(provider)).map(Box::new);
    let path = plan.folder.join(plan.account_file());
    let kept = blocking(move || files::bytes(&path)).await;
    if let Some(kept) = kept
        .ok()
        .and_then(|bytes| serde_json::from_slice::<AccountCredentials>(&bytes).ok())
    {
        return Account::builder_with_http(client()?)
            .from_credentials(kept)
            .await
            .map_err(|error| error.to_string());
    }
    let contact: Vec<&str> = plan.contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let (account, credentials) = Account::builder_with_http(client()?)
        .create(&new, plan.directory.clone(), None)
        .await
        .map_err(|error| error.to_string())?;
    let secret = zeroize::Zeroizing::new(
        serde_json::to_vec(&credentials).map_err(|error| error.to_string())?,
    );
    let (folder, file) = (plan.folder.clone(), plan.account_file());
    blocking(move || own::replace(&folder, &file, &secret))
        .await
        .map_err(|problem| problem.to_string())?;
    Ok(account)
}

/// The certificate that answers a challenge (RFC 8737, section 3).
fn answer(
    name: &str,
    digest: &[u8],
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, String> {
    let told = |error: rcgen::Error| error.to_string();
    let key = KeyPair::generate().map_err(told)?;
    let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(told)?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let made = params.self_signed(&key).map_err(told)?;
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let secret = provider
        .key_provider
        .load_private_key(secret)
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(CertifiedKey::new(
        vec![made.der().clone()],
        secret,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::time::timeout;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// How often an authority is asked in a day that answers so, and how long the pauses were.
    async fn asked_in_a_day(answer: Result<(), String>) -> (u32, Vec<Duration>) {
        let asked = Cell::new(0);
        let pauses = Cell::new(Vec::new());
        let ask = || {
            asked.set(asked.get() + 1);
            let answer = answer.clone();
            async move {
                // An answer takes its time; without any, nothing else would ever run.
                tokio::task::yield_now().await;
                answer
            }
        };
        let failed = |_, pause| {
            let mut all = pauses.take();
            all.push(pause);
            pauses.set(all);
        };
        let ended = timeout(DAY, tend(|| asked.get() < 1000, ask, failed)).await;
        assert!(ended.is_err(), "it never ends");
        (asked.get(), pauses.take())
    }

    #[tokio::test(start_paused = true)]
    async fn an_authority_is_not_asked_without_end() {
        let (asked, pauses) = asked_in_a_day(Ok(())).await;
        assert!(asked <= 25 && pauses.is_empty(), "{asked}");
        let (asked, pauses) = asked_in_a_day(Err("no".to_owned())).await;
        assert!(asked <= 12, "{asked}");
        assert_eq!(pauses[..2], [FIRST_PAUSE, FIRST_PAUSE * 2]);
        assert_eq!(pauses.last(), Some(&LONGEST_PAUSE));
    }
}
