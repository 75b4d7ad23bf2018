//! The session's door: the WebSocket handshake (RFC 6455, section 4.2).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gaveta_core::{Error, ErrorKind, Result};
use gaveta_wire::MAX_MESSAGE;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::body::{Body, empty};
use super::caller::Caller;
use super::headers::program;
use super::{error, talk};
use crate::drawer::View;
use crate::drawer::pass::Door;
use crate::port::line::Line;
use crate::server::House;

/// How long the switch of protocols may take.
const SWITCH: Duration = Duration::from_secs(10);

/// What one read of a session takes at most, in bytes, and holds all the time: enough for a command.
const READ_BUFFER: usize = 1024;

/// How long a session may still say goodbye when everything is broken off.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Opens a session, which lives on in a task of its own, bounded in number, until the peer leaves
/// or the server goes down.
pub(crate) fn open(
    mut request: Request<Incoming>,
    view: View,
    line: &Arc<Line>,
    caller: Caller,
    house: &Arc<House>,
) -> Response<Body> {
    let key = match handshake(&request) {
        Ok(key) => key,
        Err(failed) => {
            let mut response = error::answer_with(&failed, StatusCode::UPGRADE_REQUIRED, false);
            let headers = response.headers_mut();
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(
                header::SEC_WEBSOCKET_VERSION,
                HeaderValue::from_static("13"),
            );
            return response;
        }
    };
    if house.is_closing() {
        return error::answer(&Error::new(ErrorKind::Closing), false);
    }
    let Ok(place) = Arc::clone(&house.sessions).try_acquire_owned() else {
        return error::answer(&Error::new(ErrorKind::Busy), false);
    };
    let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) else {
        return error::answer(&Error::bad_request("no key"), false);
    };
    line.switch();
    let view = view.through(Door::Session);
    let program = program(request.headers());
    let visit = (house.drawer.present).enter(view.pass().clone(), &program, None);
    let view = view.visiting(visit.guest());
    let upgrade = hyper::upgrade::on(&mut request);
    let (line, house) = (Arc::clone(line), Arc::clone(house));
    tokio::spawn(async move {
        let Ok(Ok(upgraded)) = timeout(SWITCH, upgrade).await else {
            return;
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(4 * MAX_MESSAGE)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let io = TokioIo::new(upgraded);
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        tokio::select! {
            () = talk::talk(socket, view, &line, caller, &house) => {}
            () = too_late(&house) => {}
        }
        drop((place, visit));
    });
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// Ends when even the last words have had their time.
async fn too_late(house: &House) {
    house.over().await;
    sleep(LAST_WORDS).await;
}

/// The key of a sound handshake.
fn handshake<B>(request: &Request<B>) -> Result<String> {
    let headers = request.headers();
    let key = one(headers, &header::SEC_WEBSOCKET_KEY)
        .filter(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16));
    let sound = request.version() == Version::HTTP_11
        && lists(headers, &header::CONNECTION, "upgrade")
        && lists(headers, &header::UPGRADE, "websocket")
        && one(headers, &header::SEC_WEBSOCKET_VERSION) == Some("13");
    match key {
        Some(key) if sound => Ok(key.to_owned()),
        _ => Err(Error::bad_request(
            "a session is a WebSocket, version 13, over HTTP/1.1",
        )),
    }
}

fn one<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first.trim())
}

fn lists(headers: &HeaderMap, name: &header::HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(word))
}
