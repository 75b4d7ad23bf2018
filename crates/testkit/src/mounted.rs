//! A file system inside a folder, for disks that fill and mounts that are in the way.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A tmpfs, taken away again when dropped.
#[derive(Debug)]
pub struct Mounted(PathBuf);

impl Mounted {
    /// Mounts one here with these options (`size=2m`); none, and that is said, without the right to.
    pub fn at(path: &Path, options: &str) -> Option<Self> {
        let args = ["-t", "tmpfs", "-o", options, "gaveta-test"];
        let done = Command::new("mount").args(args).arg(path).output();
        if done.is_ok_and(|output| output.status.success()) {
            return Some(Self(path.to_owned()));
        }
        eprintln!("skipped: no right to mount");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
