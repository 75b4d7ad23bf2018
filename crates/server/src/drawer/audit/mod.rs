//! The audit log: who did what to which path from where, when, with what result.
//!
//! One JSON object a line ([`AuditBody`]), in a file that is only ever appended to. An operation
//! never waits for the log: its line goes into a queue of bounded bytes, which one thread writes.
//! When the disk does not keep up the queue runs over, and what did not fit is counted: the next
//! line that is written says how many are missing, and the server's own log warns.

mod file;
pub(crate) mod reading;

use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use gaveta_wire::audit::AuditBody;

use file::LogFile;

/// What may wait to be written, in bytes.
const WAITING: usize = 4 * 1024 * 1024;
/// A line longer than this is not written whole by anyone: paths of 4 KiB fit twice.
pub(crate) const LONGEST: usize = 64 * 1024;
/// After a failure nothing is tried for so long.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the log lies, and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPlan {
    /// The file; rotated ones lie beside it.
    pub path: PathBuf,
    /// Bytes that all its files may take together.
    pub keep: u64,
}

impl AuditPlan {
    /// What is kept unless told otherwise.
    pub const KEEP: u64 = 256 * 1024 * 1024;

    /// A log at this path, kept as usual.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            keep: Self::KEEP,
        }
    }
}

/// The log, or nothing at all when it is off. Cheap to clone; ends when the last clone goes, after
/// it has written what waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Audit(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    queue: Arc<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    state: Mutex<Queue>,
    /// There is something to write, or nobody will bring any more.
    more: Condvar,
    /// Something was written.
    written: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Vec<u8>,
    /// How many lines these are.
    count: u64,
    /// How many lines did not fit, or could not be written.
    lost: u64,
    /// Lines that ever came, and those that were written or lost.
    came: u64,
    went: u64,
    ended: bool,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audit {
    /// Opens the log, or makes it (0600). What an unclean stop left half is closed off.
    ///
    /// # Errors
    /// When the file cannot be opened or no thread can be had.
    pub(crate) fn open(plan: &AuditPlan) -> std::io::Result<Self> {
        let file = LogFile::open(plan)?;
        let queue = Arc::new(Waiting::default());
        let writer = Arc::clone(&queue);
        std::thread::Builder::new()
            .name("gaveta-audit".to_owned())
            .spawn(move || write_all(&writer, file))?;
        Ok(Self(Some(Arc::new(Shared {
            path: plan.path.clone(),
            queue,
        }))))
    }

    /// Enters a record, with the time of now. Never waits for the disk.
    pub(crate) fn record(&self, mut record: AuditBody) {
        let Some(shared) = &self.0 else { return };
        record.time = AuditBody::stamp(SystemTime::now());
        let Ok(mut line) = serde_json::to_vec(&record) else {
            return;
        };
        line.push(b'\n');
        let mut queue = shared.queue.lock();
        queue.came += 1;
        if line.len() > LONGEST || queue.lines.len() + line.len() > WAITING {
            queue.lost += 1;
            queue.went += 1;
        } else {
            queue.lines.extend_from_slice(&line);
            queue.count += 1;
        }
        drop(queue);
        shared.queue.more.notify_one();
    }

    /// Where the log lies; none when it is off.
    pub(crate) fn path(&self) -> Option<&FsPath> {
        self.0.as_ref().map(|shared| shared.path.as_path())
    }

    /// Waits until what was entered before is written, or the deadline is over. Blocks.
    pub(crate) fn flush(&self, patience: Duration) -> bool {
        let Some(shared) = &self.0 else { return true };
        let deadline = Instant::now() + patience;
        let mut queue = shared.queue.lock();
        let wanted = queue.came;
        while queue.went < wanted {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = shared
                .queue
                .written
                .wait_timeout(queue, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.lock().ended = true;
        self.queue.more.notify_one();
    }
}

/// The writer's thread: takes all that waits, writes it in one piece, and begins again.
fn write_all(waiting: &Waiting, mut file: LogFile) {
    let mut warned = false;
    loop {
        let (mut lines, count, lost, ended) = {
            let mut queue = waiting.lock();
            while queue.lines.is_empty() && queue.lost == 0 && !queue.ended {
                queue = waiting
                    .more
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let taken = std::mem::take(&mut queue.lines);
            let (count, lost) = (queue.count, queue.lost);
            (queue.count, queue.lost) = (0, 0);
            (taken, count, lost, queue.ended)
        };
        if lost > 0 {
            lines.splice(0..0, missing(lost));
        }
        if !lines.is_empty()
            && let Err(error) = file.append(&lines)
        {
            if !warned {
                let why = gaveta_text::escape(&error.to_string()).into_owned();
                tracing::warn!(target: "gaveta::audit", why, "the audit log cannot be written");
            }
            warned = true;
            let mut queue = waiting.lock();
            queue.went += count;
            queue.lost += lost + count;
            waiting.written.notify_all();
            if ended {
                return;
            }
            // What comes meanwhile waits in the queue, as long as it has room.
            let paused = waiting
                .more
                .wait_timeout_while(queue, PAUSE, |queue| !queue.ended);
            drop(paused);
            continue;
        }
        if lost > 0 {
            tracing::warn!(target: "gaveta::audit", lost, "records of the audit log were lost");
        }
        warned = false;
        let mut queue = waiting.lock();
        queue.went += count;
        let over = ended && queue.lines.is_empty() && queue.lost == 0;
        drop(queue);
        waiting.written.notify_all();
        if over {
            file.sync();
            return;
        }
    }
}

/// The line that tells of lines that are missing.
fn missing(lost: u64) -> Vec<u8> {
    let record = AuditBody {
        time: AuditBody::stamp(SystemTime::now()),
        operation: "audit".to_owned(),
        result: "lost".to_owned(),
        lost: Some(lost),
        ..AuditBody::default()
    };
    let mut line = serde_json::to_vec(&record).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    const SOON: Duration = Duration::from_secs(30);

    fn record(operation: &str) -> AuditBody {
        AuditBody {
            account: "ana".into(),
            operation: operation.into(),
            result: "done".into(),
            ..AuditBody::default()
        }
    }

    fn lines(path: &FsPath) -> Vec<AuditBody> {
        fs::read_to_string(path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn what_is_entered_is_a_line_that_only_the_owner_reads() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deep/audit.jsonl");
        let audit = Audit::open(&AuditPlan::at(&path)).unwrap();
        for word in ["read", "delete\n\u{1b}[2J"] {
            audit.record(record(word));
        }
        assert!(audit.flush(SOON));
        let found = lines(&path);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].operation, "delete\n\u{1b}[2J");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains('\u{1b}'), "nothing that a terminal obeys");
        let off = Audit::default();
        off.record(record("read"));
        assert!(off.flush(SOON) && off.path().is_none());
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.jsonl");
        let audit = Audit::open(&AuditPlan::at(&path)).unwrap();
        let mut long = record("read");
        long.path = Some("x".repeat(LONGEST));
        audit.record(long);
        audit.record(record("read"));
        drop(audit.clone());
        assert!(audit.flush(SOON));
        // The thread may write the two in one go or in two.
        let waited = Instant::now();
        loop {
            let found = lines(&path);
            let lost: u64 = found.iter().filter_map(|record| record.lost).sum();
            if lost == 1 && found.len() == 2 {
                break;
            }
            assert!(waited.elapsed() < SOON, "{found:?}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_log_that_cannot_be_written_loses_lines_aloud_and_goes_on() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("gone");
        let path = folder.join("audit.jsonl");
        let audit = Audit::open(&AuditPlan::at(&path)).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        fs::write(&folder, "in the way").unwrap();
        audit.record(record("one"));
        assert!(!audit.flush(Duration::ZERO) || audit.flush(SOON));
        // Whatever the thread has seen by now, afterwards it goes on and tells.
        assert!(audit.flush(SOON));
        fs::remove_file(&folder).unwrap();
        let waited = Instant::now();
        loop {
            audit.record(record("two"));
            assert!(audit.flush(SOON));
            if path.exists() && lines(&path).iter().any(|record| record.operation == "two") {
                break;
            }
            assert!(waited.elapsed() < SOON);
            std::thread::sleep(Duration::from_millis(20));
        }
        let found = lines(&path);
        assert!(
            found.iter().filter_map(|record| record.lost).sum::<u64>() >= 1,
            "{found:?}"
        );
    }
}
