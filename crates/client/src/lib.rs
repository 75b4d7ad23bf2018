//! The client: a remote drawer as a store, the verbs on top of it, and the shell that runs them.

pub mod address;
mod answer;
mod drawer;
mod durable;
mod exclude;
pub mod fault;
mod local;
pub mod pattern;
mod pins;
pub mod printer;
pub mod remote;
pub mod shell;
pub mod stop;
mod terminal;
pub mod verbs;

pub use durable::Durable;
