//! HTTP/1.1 byte for byte: for requests that no proper client would send. Source: RFC 9112.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long one exchange may take before it counts as hung.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// The longest head of an answer.
const MAX_HEAD: usize = 256 << 10;
/// The longest body of an answer.
const MAX_BODY: usize = 256 << 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields in order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its chunks' frames.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header field of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One connection. Every method has a deadline.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

fn bad(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(DEADLINE, work)
        .await
        .map_err(|_| io::Error::from(ErrorKind::TimedOut))?
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// As the system says, or `TimedOut`.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = in_time(TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::new(),
        })
    }

    /// Sends exactly these bytes.
    ///
    /// # Errors
    /// As the system says, or `TimedOut`.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        in_time(self.stream.write_all(bytes)).await
    }

    /// Says that no more will be sent.
    ///
    /// # Errors
    /// As the system says.
    pub async fn finish(&mut self) -> io::Result<()> {
        in_time(self.stream.shutdown()).await
    }

    /// Reads one answer to a request that is no HEAD. An interim one (1xx) is an answer too.
    ///
    /// # Errors
    /// `UnexpectedEof` when the connection ends within it, `InvalidData` when it is no HTTP or
    /// longer than expected, `TimedOut`.
    pub async fn response(&mut self) -> io::Result<Response> {
        in_time(self.one_response(false)).await
    }

    /// Reads one answer to a HEAD.
    ///
    /// # Errors
    /// As [`Connection::response`].
    pub async fn response_to_head(&mut self) -> io::Result<Response> {
        in_time(self.one_response(true)).await
    }

    /// Everything until the other side closes.
    ///
    /// # Errors
    /// As the system says, or `TimedOut`.
    pub async fn rest(&mut self) -> io::Result<Vec<u8>> {
        in_time(async {
            while self.more().await? {}
            Ok(std::mem::take(&mut self.read))
        })
        .await
    }

    /// Reads some more; false at the end.
    async fn more(&mut self) -> io::Result<bool> {
        if self.read.len() > MAX_BODY + MAX_HEAD {
            return Err(bad("the answer is too long"));
        }
        self.read.reserve(64 << 10);
        Ok(self.stream.read_buf(&mut self.read).await? > 0)
    }

    async fn need(&mut self) -> io::Result<()> {
        if self.more().await? {
            Ok(())
        } else {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > MAX_BODY {
            return Err(bad("the body is too long"));
        }
        while self.read.len() < length {
            self.need().await?;
        }
        let rest = self.read.split_off(length);
        Ok(std::mem::replace(&mut self.read, rest))
    }

    /// Everything up to this mark, and the mark.
    async fn take_until(&mut self, mark: &[u8]) -> io::Result<Vec<u8>> {
        let mut from = 0;
        loop {
            let found = self.read[from..]
                .windows(mark.len())
                .position(|window| window == mark);
            if let Some(at) = found {
                return self.take(from + at + mark.len()).await;
            }
            if self.read.len() > MAX_HEAD {
                return Err(bad("the head is too long"));
            }
            from = self.read.len().saturating_sub(mark.len());
            self.need().await?;
        }
    }

    async fn one_response(&mut self, to_head: bool) -> io::Result<Response> {
        let head = self.take_until(b"\r\n\r\n").await?;
        let head = String::from_utf8(head).map_err(|_| bad("the head is not UTF-8"))?;
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let first = lines.next().unwrap_or_default();
        if !first.starts_with("HTTP/1.") {
            return Err(bad(first));
        }
        let status = first
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| bad("no status"))?;
        let mut headers = vec![];
        for line in lines {
            let (name, value) = line.split_once(':').ok_or_else(|| bad(line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response {
            status,
            headers,
            body: vec![],
        };
        let empty = to_head || matches!(status, 100..200 | 204 | 304);
        if !empty {
            response.body = self.body(&response).await?;
        }
        Ok(response)
    }

    async fn body(&mut self, response: &Response) -> io::Result<Vec<u8>> {
        if response
            .header("transfer-encoding")
            .is_some_and(|te| te.eq_ignore_ascii_case("chunked"))
        {
            return self.chunks().await;
        }
        match response.header("content-length") {
            Some(length) => {
                let length = length.parse().map_err(|_| bad("a bad content-length"))?;
                self.take(length).await
            }
            None => {
                while self.more().await? {}
                Ok(std::mem::take(&mut self.read))
            }
        }
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = vec![];
        loop {
            let line = String::from_utf8(self.take_until(b"\r\n").await?)
                .map_err(|_| bad("a bad chunk"))?;
            let size = line.trim().split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16).map_err(|_| bad("a bad chunk size"))?;
            if size == 0 {
                // Trailers, up to an empty line.
                while self.take_until(b"\r\n").await? != b"\r\n" {}
                return Ok(body);
            }
            body.extend(self.take(size).await?);
            if body.len() > MAX_BODY || self.take(2).await? != b"\r\n" {
                return Err(bad("a bad chunk end"));
            }
        }
    }
}

/// Sends exactly these bytes on a new connection and reads one answer.
///
/// # Errors
/// As [`Connection::response`].
pub async fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<Response> {
    let mut connection = Connection::open(address).await?;
    // A server may answer and close before it read all; its answer counts.
    let sent = connection.send(request).await;
    let response = connection.response().await;
    if response.is_err() {
        sent.and(response)
    } else {
        response
    }
}

/// The bytes of a request: with `Host` and `Connection: close`, `Content-Length` when there is a
/// body, and these header fields. The target is any bytes.
pub fn request(
    method: &str,
    target: &[u8],
    host: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut all = [
        method.as_bytes(),
        b" ",
        target,
        b" HTTP/1.1\r\nHost: ",
        host.as_bytes(),
    ]
    .concat();
    all.extend_from_slice(b"\r\nConnection: close\r\n");
    for (name, value) in headers {
        all.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    if !body.is_empty() || method == "PUT" || method == "POST" {
        all.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    all.extend_from_slice(b"\r\n");
    all.extend_from_slice(body);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// What the client makes of these bytes of a server that then closes.
    async fn read(answer: &'static [u8]) -> io::Result<Response> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut asked = vec![];
            stream.read_to_end(&mut asked).await.ok();
        };
        let request = request("GET", b"/", "localhost", &[], b"");
        tokio::join!(exchange(address, &request), server).0
    }

    #[tokio::test]
    async fn reads_every_kind_of_body() {
        let counted = read(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A:  b \r\n\r\nabcd").await;
        let counted = counted.unwrap();
        assert_eq!((counted.status, counted.text().as_str()), (200, "abc"));
        assert_eq!(counted.header("x-a"), Some("b"));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
        assert_eq!(read(chunked).await.unwrap().text(), "abc0123456789");
        assert_eq!(
            read(b"HTTP/1.1 200 OK\r\n\r\nto the end")
                .await
                .unwrap()
                .text(),
            "to the end"
        );
        assert_eq!(
            read(b"HTTP/1.1 204 No Content\r\n\r\n")
                .await
                .unwrap()
                .status,
            204
        );
    }

    #[tokio::test]
    async fn a_cut_answer_is_an_error() {
        for cut in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\nContent-",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ] {
            let error = read(cut).await.unwrap_err().kind();
            assert_eq!(error, ErrorKind::UnexpectedEof, "{}", cut.escape_ascii());
        }
        assert_eq!(
            read(b"nonsense\r\n\r\n").await.unwrap_err().kind(),
            ErrorKind::InvalidData
        );
    }
}
