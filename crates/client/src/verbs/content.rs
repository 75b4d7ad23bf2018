//! One file's content to standard output, for `get … -` and `cat`.

use std::io::Write;

use bytes::Bytes;
use futures_util::StreamExt;
use gaveta_core::{Entry, Error, ErrorKind, Hasher, Kind, ReadPlan, Store};
use gaveta_text::escape;
use tokio::sync::{mpsc, oneshot};

use crate::drawer::Drawer;
use crate::fault::{Fault, Outcome};

/// How a content is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Byte by byte.
    AsIs,
    /// For a person at a terminal: what could move the cursor or change the terminal is shown
    /// instead of done, and the last line ends.
    Shown,
}

/// Refuses what is no file.
///
/// # Errors
/// `IsFolder`, `NotRegular`.
pub(super) fn is_file(drawer: &Drawer, entry: &Entry) -> Outcome {
    let kind = match entry.kind {
        Kind::File => return Ok(()),
        Kind::Folder => ErrorKind::IsFolder,
        Kind::Link | Kind::Special => ErrorKind::NotRegular,
    };
    Err(drawer.named(kind.into(), &entry.path))
}

/// Copies a file to standard output and compares its digest at the end: what was wrong has been
/// written by then, so the exit code says so. `advanced` hears how many bytes there were.
///
/// # Errors
/// What the server says, `LengthMismatch`, `DigestMismatch`, [`Fault::Closed`].
pub(super) async fn copy_out(
    drawer: &Drawer,
    entry: &Entry,
    shape: Shape,
    advanced: impl Fn(u64) + Send + Sync,
) -> Outcome<Entry> {
    let named = |error: Error| drawer.named(error, &entry.path);
    let range = 0..entry.size;
    let plan = ReadPlan {
        version: Some(entry.version.clone()),
        first: Some(range.clone()),
        ..ReadPlan::default()
    };
    let reading = drawer.remote.read(&entry.path, plan).await.map_err(named)?;
    let mut content = reading.stream(range);
    let mut hasher = Hasher::new();
    let (send, written) = output(shape)?;
    while let Some(piece) = content.next().await {
        let piece = piece.map_err(named)?;
        hasher.update(&piece);
        if send.send(piece).await.is_err() {
            break;
        }
        advanced(hasher.count());
    }
    drop(send);
    match written.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            return Err(Fault::Closed);
        }
        Ok(Err(error)) => return Err(Error::from(error).about_text("-").into()),
        Err(_) => return Err(Error::new(ErrorKind::Io).about_text("-").into()),
    }
    if hasher.count() != entry.size {
        return Err(named(ErrorKind::LengthMismatch.into()));
    }
    let promised = reading.entry().digest.or(entry.digest);
    if promised.is_some_and(|digest| digest != hasher.digest()) {
        return Err(named(ErrorKind::DigestMismatch.into()));
    }
    Ok(entry.clone())
}

type Written = oneshot::Receiver<std::io::Result<()>>;

/// Standard output, written by a thread of its own: a reader who pauses stops no other wait.
fn output(shape: Shape) -> gaveta_core::Result<(mpsc::Sender<Bytes>, Written)> {
    let (send, mut pieces) = mpsc::channel::<Bytes>(4);
    let (done, written) = oneshot::channel();
    std::thread::Builder::new()
        .name("output".to_owned())
        .spawn(move || {
            let mut write = || {
                let mut out = std::io::stdout().lock();
                let mut shown = Showing::default();
                while let Some(piece) = pieces.blocking_recv() {
                    match shape {
                        Shape::AsIs => out.write_all(&piece)?,
                        Shape::Shown => out.write_all(shown.take(&piece).as_bytes())?,
                    }
                }
                out.write_all(shown.end().as_bytes())?;
                out.flush()
            };
            let result = write();
            // Whoever was stopped asks no more.
            let _ = done.send(result);
        })?;
    Ok((send, written))
}

/// Makes a content safe for a terminal, piece by piece.
#[derive(Debug, Default)]
struct Showing {
    /// The beginning of a letter whose end comes with the next piece.
    rest: Vec<u8>,
    /// Something was written, and its last line has no end yet.
    in_line: bool,
}

impl Showing {
    fn take(&mut self, piece: &[u8]) -> String {
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.extend_from_slice(piece);
        let whole = match std::str::from_utf8(&bytes) {
            Ok(_) => bytes.len(),
            // No letter is longer than four bytes: a longer rest is no letter.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => bytes.len() - cut_letter(&bytes),
        };
        self.rest = bytes.split_off(whole);
        self.show(&bytes)
    }

    fn end(&mut self) -> String {
        let rest = std::mem::take(&mut self.rest);
        let mut shown = self.show(&rest);
        if self.in_line {
            shown.push('\n');
        }
        shown
    }

    fn show(&mut self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        let mut shown = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let (line, end) = match line.strip_suffix('\n') {
                Some(line) => (line.strip_suffix('\r').unwrap_or(line), "\n"),
                None => (line, ""),
            };
            for (i, part) in line.split('\t').enumerate() {
                if i > 0 {
                    shown.push('\t');
                }
                shown.push_str(&escape(part));
            }
            shown.push_str(end);
        }
        if let Some(last) = shown.chars().next_back() {
            self.in_line = last != '\n';
        }
        shown
    }
}

/// How many bytes at the end begin a letter that does not end there.
fn cut_letter(bytes: &[u8]) -> usize {
    (1..=3.min(bytes.len()))
        .find(|back| {
            let tail = bytes.get(bytes.len() - back..).unwrap_or_default();
            matches!(std::str::from_utf8(tail), Err(error)
                if error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[&[u8]]) -> String {
        let mut showing = Showing::default();
        let mut all = String::new();
        for piece in pieces {
            all.push_str(&showing.take(piece));
        }
        all + &showing.end()
    }

    #[test]
    fn nothing_reaches_a_terminal_raw() {
        assert_eq!(shown(&[b"a\tb\r\nc\n"]), "a\tb\nc\n");
        assert_eq!(shown(&[b"no end"]), "no end\n");
        assert_eq!(shown(&[]), "");
        assert_eq!(shown(&[b"\x1b[2Jx\x07\n"]), "\\u{1b}[2Jx\\u{7}\n");
        assert_eq!(shown(&[b"\xff\xc3(\n"]), "\u{fffd}\u{fffd}(\n");
    }

    #[test]
    fn letters_cut_between_pieces_stay_whole() {
        let text = "né 🗄️ fim\n".as_bytes();
        for at in 0..text.len() {
            let (one, two) = text.split_at(at);
            assert_eq!(shown(&[one, two]).as_bytes(), text, "{at}");
            // Also after something that is no letter.
            let one = [b"\xff", one].concat();
            let expected = ["\u{fffd}".as_bytes(), text].concat();
            assert_eq!(shown(&[&one, two]).as_bytes(), expected, "{at}");
        }
        assert_eq!(shown(&[b"x\xf0\x9f"]), "x\u{fffd}\n");
    }
}
