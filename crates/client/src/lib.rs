//! The client: a remote drawer as a store, and the verbs on top of it.

pub mod address;
mod answer;
mod drawer;
pub mod fault;
mod local;
pub mod pattern;
pub mod printer;
pub mod remote;
pub mod stop;
mod terminal;
pub mod verbs;
