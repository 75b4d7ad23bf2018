//! What a drawer is. No socket, no disk, no HTTP.
//!
//! Everything that holds files is a [`Store`]: the served folder, the client's own disk, memory
//! (for tests), and a remote drawer seen through the network. A transfer is a copy between two
//! stores. The words of this crate are the words of the whole project:
//!
//! | word | type |
//! |---|---|
//! | path inside a drawer | [`Path`], [`Name`] |
//! | entry, version | [`Entry`], [`Version`] |
//! | store, upload | [`Store`], [`Upload`], [`WritePlan`] |
//! | digest, of the whole and of chunks | [`Digest`], [`Outline`] |
//! | trash | [`Trash`], [`Trashed`] |
//! | ranges that arrived | [`Ranges`] |
//! | account; action, grant | [`Account`]; [`Action`], [`Grants`] |
//! | command, event | [`Command`], [`Event`] |
//! | error | [`Error`], [`ErrorKind`] |

pub mod account;
pub mod chunk;
pub mod command;
pub mod digest;
pub mod entry;
pub mod error;
pub mod event;
pub mod grant;
pub mod listing;
pub mod operation;
pub mod path;
pub mod ranges;
pub mod store;
pub mod trash;
pub mod upload;
pub mod verify;

pub use account::{Account, AccountKind};
pub use chunk::{CHUNK, ChunkDigest, ChunkHasher, Outline, Piece, Pieces};
pub use command::{Answer, Command};
pub use digest::{Digest, Hasher};
pub use entry::{Entry, Kind, Space, Version};
pub use error::{Error, ErrorKind, Result};
pub use event::{Event, EventKind};
pub use grant::{Action, Actions, Grant, Grants, Role};
pub use listing::{Cursor, ListPlan, Listed, Listing, Order, OrderBy, Window};
pub use operation::Operation;
pub use path::{Name, Path, PathProblem};
pub use ranges::Ranges;
pub use store::{FAR, MovePlan, ReadPlan, Reading, RemovePlan, Replace, Store, TouchPlan};
pub use trash::{
    Cause, Examined, Health, RestorePlan, Stray, Trash, TrashId, TrashPlan, TrashState, Trashed,
    Upkeep,
};
pub use upload::{Check, Content, OnDrop, Owner, Seal, Upload, UploadId, UploadState, WritePlan};
pub use verify::{Finding, FindingKind, VerifyOrder, VerifyState};
