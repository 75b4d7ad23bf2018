//! Who is connected, for who looks after the server.

use serde::{Deserialize, Serialize};

/// Requests under way, then open sessions, each from the first that came; without the request
/// that asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectedBody {
    /// Each of them.
    pub connected: Vec<VisitBody>,
    /// So many more are not told.
    pub more: u64,
}

/// One request, or one session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisitBody {
    /// The account; of a token its account, of a share its maker; `visitor` for who did not sign in.
    pub account: String,
    /// The id of the token that is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The id of the share that is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// The address, without its port; behind a trusted proxy that of its client.
    pub from: String,
    /// The door: `http` or `session`.
    pub door: String,
    /// What the program calls itself (`User-Agent`), at most 200 bytes; empty where it does not.
    pub program: String,
    /// When it began, RFC 3339.
    pub since: String,
    /// Of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Of a request, as it was asked for, without its query and without what is secret in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Bytes of content that came by it.
    pub received: u64,
    /// Bytes of content that left by it.
    pub sent: u64,
}
