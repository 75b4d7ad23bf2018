//! The port: listens, tells protocols apart, keeps the deadlines, and counts.

mod accept;
mod connection;
pub(crate) mod line;
pub(crate) mod listen;
pub(crate) mod log;
mod paced;
pub(crate) mod tls;

pub(crate) use accept::accept;
