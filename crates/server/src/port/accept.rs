//! The accept loop: one for each socket, none of which ever ends by itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::connection;
use super::line::Line;
use crate::server::House;

/// The first and the longest pause when the system has no more sockets to give.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is said, as far as the socket takes it at once, when there is no place left.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\n\
    gaveta-error: busy\r\ncontent-length: 0\r\n\r\n";

/// Accepts until the server closes.
pub(crate) async fn accept(listener: TcpListener, house: Arc<House>) {
    let mut pause = PAUSE;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = house.closing() => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                pause = PAUSE;
                let Ok(place) = Arc::clone(&house.connections).try_acquire_owned() else {
                    tracing::warn!(target: "gaveta::connection", %peer, "no place left");
                    turn_away(socket);
                    continue;
                };
                let Some(seat) = house.drawer.fairness.seat(peer.ip()) else {
                    tracing::warn!(target: "gaveta::connection", %peer, "has its share");
                    turn_away(socket);
                    continue;
                };
                let local = socket.local_addr().ok().map(|address| address.ip());
                let line = Line::open(peer, local, Arc::clone(&house.drawer), Some((place, seat)));
                tokio::spawn(connection::serve(socket, line, Arc::clone(&house)));
            }
            Err(error) if belongs_to_peer(&error) => {
                tracing::debug!(target: "gaveta::connection", %error, "gone before it came");
            }
            Err(error) => {
                // No more files, sockets or memory: what is open goes on, and gives some back.
                tracing::warn!(target: "gaveta::connection", %error, "cannot accept");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// An error of one connection that never came to be, not of the socket that listens.
fn belongs_to_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Never waits: the socket takes these few bytes or it does not.
fn turn_away(socket: TcpStream) {
    use std::io::{Read, Write};
    let Ok(mut socket) = socket.into_std() else {
        return;
    };
    // What came unread would turn the answer into a reset.
    let _ = socket.read(&mut [0; 8 * 1024]);
    let _ = socket.write(FULL);
    let _ = socket.shutdown(std::net::Shutdown::Write);
}
