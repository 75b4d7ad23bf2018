//! The verification of a running server: one at a time, in the background, gently.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gaveta_core::{Finding, Result, Store, VerifyOrder, VerifyState};
use gaveta_wire::trash::MAX_FINDINGS_PAGE;
use tokio::time::sleep;

use super::verify::Verification;

/// How often is looked whether it is time.
const LOOK: Duration = Duration::from_secs(60);

/// The one verification there is.
#[derive(Debug, Default)]
pub(crate) struct Verifier(Arc<Mutex<Told>>);

/// What others may know of it.
#[derive(Debug, Default)]
struct Told {
    state: VerifyState,
    findings: Vec<Finding>,
    /// What was written down by an earlier run is known.
    loaded: bool,
    stop: bool,
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Verifier {
    /// Does what the order says, and tells how far it is then.
    ///
    /// # Errors
    /// `Unsupported` for a store that cannot be looked after from here.
    pub(crate) async fn order(
        &self,
        store: &Arc<dyn Store>,
        order: VerifyOrder,
    ) -> Result<(VerifyState, Vec<Finding>)> {
        self.load(store).await?;
        let mut after = 0;
        match order {
            VerifyOrder::Start { afresh } => self.start(store, afresh).await?,
            VerifyOrder::Stop => lock(&self.0).stop = true,
            VerifyOrder::Tell { after: known } => after = usize::try_from(known).unwrap_or(0),
        }
        let told = lock(&self.0);
        let findings = told.findings.iter().skip(after).take(MAX_FINDINGS_PAGE);
        Ok((told.state.clone(), findings.cloned().collect()))
    }

    /// What an earlier run of the server wrote down.
    async fn load(&self, store: &Arc<dyn Store>) -> Result<()> {
        if lock(&self.0).loaded {
            return Ok(());
        }
        let last = Verification::last(Arc::clone(store), true).await?;
        let mut told = lock(&self.0);
        if !told.loaded {
            told.loaded = true;
            if let Some(last) = last {
                (told.state, told.findings) = (last.state, last.findings);
            }
        }
        Ok(())
    }

    async fn start(&self, store: &Arc<dyn Store>, afresh: bool) -> Result<()> {
        {
            let mut told = lock(&self.0);
            if told.state.running {
                return Ok(());
            }
            // From here on nobody else starts one.
            told.state.running = true;
            told.stop = false;
        }
        let found = async {
            let last = Verification::last(Arc::clone(store), true).await?;
            match last.filter(|last| !afresh && !last.is_over()) {
                Some(last) => Ok(last),
                None => Verification::new(Arc::clone(store), true),
            }
        };
        let mut one = match found.await {
            Ok(one) => one,
            Err(error) => {
                lock(&self.0).state.running = false;
                return Err(error);
            }
        };
        one.state.running = true;
        {
            let mut told = lock(&self.0);
            told.state = one.state.clone();
            told.findings = one.findings.clone();
        }
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let _over = Over(Arc::clone(&shared));
            let mut tell = |one: &Verification| {
                let mut told = lock(&shared);
                told.state = one.state.clone();
                let known = told.findings.len();
                told.findings
                    .extend(one.findings.iter().skip(known).cloned());
                !told.stop
            };
            if let Err(error) = one.run(&mut tell).await {
                let why = gaveta_text::escape(&error.chain()).into_owned();
                tracing::warn!(target: "gaveta::verify", why, "the verification broke off");
            }
            let VerifyState {
                files,
                rotten,
                changed,
                unreadable,
                ..
            } = one.state;
            let over = one.is_over();
            tracing::info!(
                target: "gaveta::verify", over, files, rotten, changed, unreadable, "verified"
            );
        });
        Ok(())
    }

    /// Starts one whenever the last ended so long ago, and goes on with one that was broken off.
    pub(crate) async fn every(&self, store: Arc<dyn Store>, every: Duration) {
        loop {
            if self.load(&store).await.is_ok() {
                let (running, ended) = {
                    let told = lock(&self.0);
                    (told.state.running || told.stop, told.state.ended)
                };
                let due = ended.is_none_or(|ended| {
                    SystemTime::now()
                        .duration_since(ended)
                        .is_ok_and(|age| age >= every)
                });
                if due
                    && !running
                    && let Err(error) = self.start(&store, false).await
                {
                    let why = gaveta_text::escape(&error.chain()).into_owned();
                    tracing::warn!(target: "gaveta::verify", why, "nothing is verified");
                }
            }
            sleep(LOOK.min(every)).await;
        }
    }
}

/// However the task ends, it runs no more.
struct Over(Arc<Mutex<Told>>);

impl Drop for Over {
    fn drop(&mut self) {
        lock(&self.0).state.running = false;
    }
}
