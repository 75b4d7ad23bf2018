//! What is known of a program that does not do what is waited for: for the message of a test that
//! failed.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// So many of the last bytes that it wrote are shown.
const TAIL: usize = 600;
/// So many threads and sockets are listed.
const LISTED: usize = 40;

/// The last bytes, with everything that is no letter escaped.
pub(super) fn tail(raw: &[u8]) -> String {
    let start = raw.len().saturating_sub(TAIL);
    format!("last bytes: {}", raw[start..].escape_ascii())
}

/// The threads of a process, where each of them waits in the kernel, and its connections. Nothing
/// where the system has no `/proc`.
///
/// Source: proc_pid_task(5), proc_pid_net(5).
pub(super) fn process(id: u32) -> String {
    let place = Path::new("/proc").join(id.to_string());
    let read = |path: &Path, name: &str| {
        let text = fs::read_to_string(path.join(name)).unwrap_or_default();
        text.trim_end().to_owned()
    };
    let names = |folder: &str| {
        let entries = fs::read_dir(place.join(folder)).into_iter().flatten();
        entries.flatten().map(|entry| entry.path()).take(4096)
    };
    let mut told = String::new();
    for task in names("task").take(LISTED) {
        let stat = read(&task, "stat");
        let state = stat.rsplit_once(')').map_or("", |(_, rest)| rest.trim());
        let _ = writeln!(
            told,
            "thread {}: state {}, in {}, system call {}",
            read(&task, "comm"),
            state.get(..1).unwrap_or("?"),
            read(&task, "wchan"),
            read(&task, "syscall"),
        );
    }
    let mut rows = HashMap::new();
    for table in ["net/tcp", "net/tcp6"] {
        for row in read(&place, table).lines().skip(1) {
            let words: Vec<&str> = row.split_whitespace().collect();
            if let [_, local, remote, state, queues, _, _, _, _, inode, ..] = words[..] {
                let about = format!("{local} to {remote}, state {state}, queues {queues}");
                rows.insert(inode.to_owned(), about);
            }
        }
    }
    let sockets = names("fd").filter_map(|fd| {
        let link = fs::read_link(fd).ok()?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        rows.get(inode).cloned()
    });
    for socket in sockets.take(LISTED) {
        let _ = writeln!(told, "socket {socket}");
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_holds_no_escape_sequence() {
        let long = [b"x".repeat(TAIL), b"\x1b[6n".to_vec()].concat();
        let tail = tail(&long);
        assert!(
            tail.ends_with("\\x1b[6n") && !tail.contains('\u{1b}'),
            "{tail}"
        );
        assert!(tail.len() < TAIL + 40);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn threads_and_connections_are_listed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = process(std::process::id());
        assert!(told.contains("thread "), "{told}");
        let here = format!("socket 0100007F:{port:04X} to ");
        assert!(told.contains(&here), "{told}");
    }
}
