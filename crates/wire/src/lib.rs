//! What goes over the line, for both ends: header names, target URLs, JSON bodies, session
//! messages. Only forms and their conversion to the words of `gaveta-core`, and how encrypted bytes are
//! read ([`wide`]); no socket.
//!
//! PROTOCOL.md documents all of it for people who write another client.

pub mod audit;
pub mod body;
pub mod chunks;
pub mod connected;
pub mod digest;
pub mod fingerprint;
pub mod header;
pub mod keys;
pub mod session;
pub mod trash;
pub mod url;
pub mod wide;

/// The version of the session protocol, told in the greeting.
pub const PROTOCOL: u32 = 1;
/// The port a server listens on unless told otherwise.
pub const DEFAULT_PORT: u16 = 4283;
/// The longest session message or command body a server takes, in bytes.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Paths of the server's own, beneath the reserved name.
pub mod route {
    /// Everything of the server's own starts with this.
    pub const OWN: &str = "/.gaveta/";
    /// The WebSocket session.
    pub const SESSION: &str = "/.gaveta/session";
    /// One session request by POST.
    pub const COMMAND: &str = "/.gaveta/command";
    /// Content under way: tus 1.0, and ours.
    pub const UPLOADS: &str = "/.gaveta/uploads";
    /// A file as chunks with their digests: this, then the file's path.
    pub const CHUNKS: &str = "/.gaveta/chunks";
    /// A file's chunk digests alone: this, then the file's path.
    pub const OUTLINE: &str = "/.gaveta/outline";
    /// Tokens: of one's own, and for an administrator everybody's. With `/ID`, one of them.
    pub const TOKENS: &str = "/.gaveta/tokens";
    /// Shares, as tokens.
    pub const SHARES: &str = "/.gaveta/shares";
    /// What a share's secret opens: this, the secret, and what is beneath.
    pub const SHARED: &str = "/.gaveta/s/";
    /// The audit log, for an administrator.
    pub const AUDIT: &str = "/.gaveta/audit";
    /// Who is connected, for an administrator.
    pub const CONNECTED: &str = "/.gaveta/connected";
    /// A file in the trash: this, then its id.
    pub const TRASH: &str = "/.gaveta/trash";
    /// Answers 200 while the server serves.
    pub const HEALTH: &str = "/.gaveta/health";

    /// May a name be part of the prefix under which a proxy serves a server? Letters, digits and
    /// `-._~`, which nobody encodes (RFC 3986, section 2.3), but not `.`, `..` or the reserved one.
    pub fn is_in_base(name: &str) -> bool {
        let reserved = matches!(name, "" | "." | "..") || name.eq_ignore_ascii_case(".gaveta");
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        !reserved && name.chars().all(plain)
    }
}
