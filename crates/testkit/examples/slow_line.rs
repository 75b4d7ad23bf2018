//! A slow line to a server on this machine: says its own port and forwards until it is stopped.
//!
//! `slow_line PORT BYTES`: so many bytes a second to the server, on each connection.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a tool of the project's scripts, not of its users"
)]

use std::net::Ipv4Addr;

use gaveta_testkit::proxy::{CuttingProxy, Direction};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("PORT BYTES");
    let port: u16 = next().parse().unwrap();
    let bytes = next().parse().unwrap();
    let proxy = CuttingProxy::start((Ipv4Addr::LOCALHOST, port).into())
        .await
        .unwrap();
    proxy.pace(Direction::Up, bytes);
    println!("{}", proxy.address().port());
    std::future::pending::<()>().await;
}
