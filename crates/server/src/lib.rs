//! The server: the house rules and the doors.
//!
//! - `drawer` is the store as the accounts see it: what each may do, what happened, how much.
//! - `port` listens, tells protocols apart by their first bytes, and keeps the deadlines.
//! - `http` is the door for files, the session and single commands.
//!
//! A connection's request goes door → guard → store and back through the door's one place where
//! errors become answers. Start one with [`Server::bind`] and [`Server::run`], or, within a test,
//! [`Server::spawn`].

pub mod control;
pub(crate) mod drawer;
pub(crate) mod execute;
pub(crate) mod http;
pub mod offline;
pub(crate) mod port;
mod server;

pub use drawer::accounts::{
    AccountsFile, BadSetting, Book, Change, FileProblem, Problem, ProblemKind, Record, Settings,
    SshKey, book::granted_path,
};
pub use drawer::audit::AuditPlan;
pub use drawer::audit::reading::AuditReader;
pub use drawer::keys::drawer_folder;
pub use drawer::ledger::UploadLimits;
pub use drawer::limits::Shares;
pub use drawer::meters::Totals;
pub use drawer::password::{HashedPassword, Kept, Known, PasswordProblem, Source, is_weak};
pub use drawer::verify::Verification;
pub use http::base::{BasePath, NoBasePath};
pub use ipnet::IpNet;
pub use port::tls::{AcmePlan, Identity, Tls, TlsProblem};
pub use server::{BindError, Config, Handle, Listening, Running, Server};
