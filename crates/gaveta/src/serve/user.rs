//! From root to an ordinary user, for good.
//!
//! Only before the first thread is started: the kernel keeps these identities for each thread.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use rustix::process::{Gid, Uid, getgroups, getuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) home: PathBuf,
}

/// Why nobody else could be become.
#[derive(Debug)]
pub(crate) enum UserProblem {
    /// There is no such user in /etc/passwd.
    Unknown,
    /// That user is root.
    Root,
    /// Only root can become somebody else.
    NotRoot,
    /// There are threads already, or the identity did not change as it should.
    NotDropped,
    /// The system said no.
    Io(io::Error),
}

impl fmt::Display for UserProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such user"),
            Self::Root => f.write_str("is root"),
            Self::NotRoot => f.write_str("only root can become another user"),
            Self::NotDropped => f.write_str("root's rights could not be given up"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// Are we root?
pub(crate) fn is_root() -> bool {
    getuid().is_root() || rustix::process::geteuid().is_root()
}

/// Looks a user up in /etc/passwd and /etc/group.
pub(crate) fn find(name: &str) -> Result<User, UserProblem> {
    let passwd = fs::read_to_string("/etc/passwd").map_err(UserProblem::Io)?;
    let group = fs::read_to_string("/etc/group").map_err(UserProblem::Io)?;
    parse(name, &passwd, &group).ok_or(UserProblem::Unknown)
}

fn parse(name: &str, passwd: &str, group: &str) -> Option<User> {
    let mut user = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let home = fields.nth(1)?.into();
        Some(User {
            name: name.to_owned(),
            uid,
            gid,
            groups: vec![gid],
            home,
        })
    })?;
    for line in group.lines() {
        let mut fields = line.split(':').skip(2);
        let (Some(gid), Some(members)) = (fields.next(), fields.next()) else {
            continue;
        };
        let Ok(gid) = gid.parse() else { continue };
        if members.split(',').any(|member| member == name) && !user.groups.contains(&gid) {
            user.groups.push(gid);
        }
    }
    Some(user)
}

/// Becomes this user, with his groups and no way back, and makes sure of it.
pub(crate) fn become_user(user: &User) -> Result<(), UserProblem> {
    if user.uid == 0 {
        return Err(UserProblem::Root);
    }
    if !getuid().is_root() {
        return Err(UserProblem::NotRoot);
    }
    if threads()? != 1 {
        return Err(UserProblem::NotDropped);
    }
    let failed = |error: rustix::io::Errno| UserProblem::Io(error.into());
    let groups: Vec<Gid> = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    set_thread_groups(&groups).map_err(failed)?;
    set_thread_res_gid(gid, gid, gid).map_err(failed)?;
    set_thread_res_uid(uid, uid, uid).map_err(failed)?;
    let root = Uid::from_raw(0);
    let way_back = set_thread_res_uid(root, root, root).is_ok();
    let mut now = getgroups().map_err(failed)?;
    let mut wanted = groups;
    now.sort_unstable_by_key(|gid| gid.as_raw());
    wanted.sort_unstable_by_key(|gid| gid.as_raw());
    if way_back || is_root() || now != wanted || rustix::process::getegid() != gid {
        return Err(UserProblem::NotDropped);
    }
    Ok(())
}

/// How many threads this process has.
fn threads() -> Result<usize, UserProblem> {
    Ok(fs::read_dir("/proc/self/task")
        .map_err(UserProblem::Io)?
        .count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1001:Ana,,,:/home/ana:/bin/sh\n\
        broken\nbad:x:one:2:::\n";
    const GROUP: &str = "root:x:0:\nusers:x:100:bob,ana\nana:x:1001:\nwheel:x:10:anabel\nx\n";

    #[test]
    fn users_are_found_with_their_groups() {
        let ana = parse("ana", PASSWD, GROUP).unwrap();
        assert_eq!((ana.uid, ana.gid), (1000, 1001));
        assert_eq!(ana.groups, [1001, 100]);
        assert_eq!(ana.home, PathBuf::from("/home/ana"));
        for nobody in ["an", "anabel", "bad", "broken", "", "x"] {
            assert_eq!(parse(nobody, PASSWD, GROUP), None, "{nobody}");
        }
    }

    #[test]
    fn root_is_nobody_to_become_and_threads_forbid_it() {
        let root = parse("root", PASSWD, GROUP).unwrap();
        assert!(matches!(become_user(&root), Err(UserProblem::Root)));
        // A test has threads: whoever it runs as, nothing changes.
        let before = getuid();
        let ana = parse("ana", PASSWD, GROUP).unwrap();
        let refused = become_user(&ana);
        assert!(matches!(
            refused,
            Err(UserProblem::NotRoot | UserProblem::NotDropped)
        ));
        assert_eq!(getuid(), before);
    }
}
