//! The machine whose power is cut: a Linux in user mode, on the host's files, with its own disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gaveta_disk::Durability;
use tempfile::TempDir;

use crate::journal::Journal;
use crate::{FAST, INSIDE};

/// The disk of the machine, in bytes; the image holds only what was written.
const DISK: u64 = 512 << 20;
/// A start, and everything that is looked at, may take so long on a slow host.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(crate) struct Machine {
    folder: TempDir,
    linux: PathBuf,
}

/// A program, also where only the administrator's path leads.
fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin".into(), "/sbin".into()]);
    let all = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|path| path.is_file())
}

impl Machine {
    /// A machine with an empty disk; none, said aloud, where there can be none.
    pub(crate) fn new() -> Option<Self> {
        let found = (program(&["linux.uml"]), program(&["mkfs.ext4"]));
        let (Some(linux), Some(mkfs)) = found else {
            eprintln!("SKIPPED: no user-mode-linux (linux.uml) or no e2fsprogs (mkfs.ext4)");
            let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!ci, "in CI nothing may be missing");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let image = fs::File::create(folder.path().join("disk")).unwrap();
        image.set_len(DISK).unwrap();
        let made = Command::new(mkfs)
            .args(["-q", "-F"])
            .arg(folder.path().join("disk"))
            .status();
        assert!(made.unwrap().success(), "no file system could be made");
        fs::create_dir(folder.path().join("drawer")).unwrap();
        fs::write(folder.path().join("journal"), "").unwrap();
        Some(Self { folder, linux })
    }

    /// What host and machine share.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the machine and cuts its power when the journal says so.
    pub(crate) fn run(
        &self,
        durability: Durability,
        round: usize,
        mut enough: impl FnMut(&Journal) -> bool,
    ) {
        let mut machine = self.start(durability);
        let began = Instant::now();
        let mut journal = Journal::read(self.folder());
        while !enough(&journal) {
            std::thread::sleep(Duration::from_millis(3));
            let ended = machine.0.try_wait().unwrap();
            journal = Journal::read(self.folder());
            let patience = began.elapsed() < PATIENCE;
            assert!(
                (ended.is_none() && patience) || enough(&journal),
                "round {round}: the machine ended ({ended:?}) or hangs:\n{}",
                fs::read_to_string(self.folder().join("console")).unwrap_or_default()
            );
        }
    }

    fn start(&self, durability: Durability) -> Running {
        let folder = self.folder().to_str().unwrap();
        let this = std::env::current_exe().unwrap();
        let fast = u8::from(durability == Durability::Fast);
        let init = format!(
            "#!/bin/sh\n\
             exec >>'{folder}/console' 2>&1\n\
             mount -t proc proc /proc\n\
             mount -t ext4 /dev/ubda '{folder}/drawer' || exit 1\n\
             export {INSIDE}='{folder}' {FAST}={fast} RUST_BACKTRACE=1\n\
             exec '{}' --exact inside --nocapture\n",
            this.display()
        );
        let script = self.folder().join("init");
        fs::write(&script, init).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let boot = fs::File::create(self.folder().join("boot")).unwrap();
        let child = Command::new(&self.linux)
            .args(["mem=256M", "root=/dev/root", "rootfstype=hostfs", "rw"])
            .args(["con=null", "ssl=null", "con0=null", "quiet"])
            .arg(format!("ubd0={folder}/disk"))
            .arg(format!("init={folder}/init"))
            .arg(format!("uml_dir={folder}/uml"))
            .stdin(Stdio::null())
            .stdout(boot.try_clone().unwrap())
            .stderr(boot)
            // With the machine go the processes in which its programs run.
            .process_group(0)
            .spawn()
            .unwrap();
        Running(child)
    }
}

/// A machine under power. Dropping it cuts the power.
#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let group = i32::try_from(self.0.id()).unwrap();
        let group = rustix::process::Pid::from_raw(group).unwrap();
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        self.0.wait().unwrap();
    }
}
