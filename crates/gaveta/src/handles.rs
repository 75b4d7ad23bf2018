//! Open files: each connection and each transfer takes some.

use rustix::process::{Resource, getrlimit, setrlimit};

/// As many as all connections may come to use.
const ENOUGH: u64 = 1 << 17;

/// Has the system let this process open as many files as it may at most. The usual soft limit
/// (1024, for programs of another age) is fewer than the connections that a server takes, and who
/// used it up would keep everybody else out; a client has hundreds of small files under way. What the system refuses stays as it was.
pub(super) fn raise() {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    limit.current = Some(wanted);
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(target: "gaveta::server", %error, "the limit of open files stays");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_and_never_lowered() {
        let before = getrlimit(Resource::Nofile);
        raise();
        let after = getrlimit(Resource::Nofile);
        assert!(after.current.is_none() || after.current >= before.current);
        let most = before.maximum.unwrap_or(ENOUGH).min(ENOUGH);
        assert!(after.current.is_none_or(|current| current >= most));
        assert_eq!(after.maximum, before.maximum);
    }
}
