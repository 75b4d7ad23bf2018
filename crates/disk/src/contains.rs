//! Does a path lie beneath the served folder?

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// As many links on the way as Linux follows.
const MAX_LINKS: usize = 40;

/// Does `other` lie beneath the folder `root`, or is it that folder? For what must not be served:
/// state, passwords.
///
/// Links are followed on both sides, dangling ones too, and `other` need not exist yet. Folders are
/// compared by identity, so another mount of the same folder or another spelling counts as well.
/// True when it cannot be told. Blocks.
pub fn contains(root: &Path, other: &Path) -> bool {
    let (Ok(root), Ok(other)) = (resolve(root), resolve(other)) else {
        return true;
    };
    if other.starts_with(&root) {
        return true;
    }
    let identity = |path: &Path| path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    let Some(wanted) = identity(&root) else {
        return false;
    };
    other
        .ancestors()
        .any(|above| identity(above) == Some(wanted))
}

/// The path without links, as far as it is there; what is not there yet is appended as it is.
fn resolve(path: &Path) -> std::io::Result<PathBuf> {
    let mut todo: VecDeque<OsString> = parts(&std::path::absolute(path)?);
    let mut done = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = todo.pop_front() {
        if part == "/" {
            done = PathBuf::from("/");
            continue;
        }
        if part == ".." {
            done.pop();
            continue;
        }
        let next = done.join(&part);
        match next.symlink_metadata() {
            Ok(meta) if meta.is_symlink() => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(std::io::Error::other("too many links"));
                }
                for part in parts(&next.read_link()?).into_iter().rev() {
                    todo.push_front(part);
                }
            }
            Ok(_) => done = next,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                done = next;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let name = |part: Component<'_>| match part {
        Component::CurDir => None,
        part => Some(part.as_os_str().to_owned()),
    };
    path.components().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_and_missing_parts_are_seen_through() {
        let all = tempfile::tempdir().unwrap();
        let (root, out) = (all.path().join("root"), all.path().join("out"));
        std::fs::create_dir_all(root.join("in")).unwrap();
        std::fs::create_dir(&out).unwrap();
        symlink(&root, all.path().join("door")).unwrap();
        symlink("../root/in/not yet", out.join("dangling")).unwrap();
        symlink(&out, root.join("exit")).unwrap();
        symlink("loop", all.path().join("loop")).unwrap();
        for inside in [
            "root",
            "root/in",
            "root/new/deep",
            "door/new",
            "out/dangling/x",
            "out/../root/x",
            "loop",
            "root/exit/../root",
        ] {
            assert!(contains(&root, &all.path().join(inside)), "{inside}");
        }
        for outside in [
            "out",
            "root2",
            "root/exit/state",
            "root/../out/x",
            "root/in/../../x",
        ] {
            assert!(!contains(&root, &all.path().join(outside)), "{outside}");
        }
        assert!(contains(&all.path().join("door"), &root.join("in")));
    }
}
