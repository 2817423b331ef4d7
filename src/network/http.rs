//! One HTTP request over a connection that stands, as far as the status of its answer. Redirects are not followed.
//!
//! What answers is not trusted: neither how long it takes nor how much it says is left to it, and no word of it is told.

use super::service::{Impatience, Patience};
use rustix::event::PollFlags;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;

/// The most that is read: status and headers.
const MOST_BYTES: usize = 16 << 10;
const MOST_HEADERS: usize = 128;

/// Why a request has no status to tell.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("{url} does not answer HTTP")]
    NotHttp { url: String },
    #[error("{url} does not answer")]
    Silent { url: String },
    #[error("{url}: the connection was closed before the answer was whole")]
    Closed { url: String },
    #[error("{url} answers with more than {MOST_BYTES} bytes or {MOST_HEADERS} lines of headers")]
    TooLong { url: String },
    #[error("cancelled")]
    Cancelled,
}

/// What was asked, and the status of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub url: String,
    pub status: u16,
}

impl Answer {
    /// As Kubernetes has it: success, or a redirect.
    pub fn is_good(&self) -> bool {
        (200..400).contains(&self.status)
    }
}

/// GET `path`, which must be one that a request line can hold, and nothing that an answer's body says.
pub fn get(mut stream: TcpStream, path: &str, patience: Patience<'_>) -> Result<Answer, AskError> {
    let closed = |url: &str| AskError::Closed { url: url.to_owned() };
    let Ok(peer) = stream.peer_addr() else { return Err(closed(path)) };
    let url = format!("http://{peer}{path}");
    stream.set_nonblocking(true).map_err(|_| closed(&url))?;
    let wait = |stream: &TcpStream, events| {
        patience.wait(stream.as_fd(), events).map_err(|impatience| match impatience {
            Impatience::Late => AskError::Silent { url: url.clone() },
            Impatience::Cancelled => AskError::Cancelled,
        })
    };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {peer}\r\nUser-Agent: bayplan/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    );
    let mut unsent = request.as_bytes();
    while !unsent.is_empty() {
        wait(&stream, PollFlags::OUT)?;
        match stream.write(unsent) {
            Ok(sent) => unsent = &unsent[sent..],
            Err(error) if is_passing(&error) => {}
            // What was said before it was closed is still there to be read.
            Err(_) => break,
        }
    }
    let mut head = Vec::with_capacity(1024);
    loop {
        match status(&head) {
            Head::Status(status) => return Ok(Answer { url, status }),
            Head::NotHttp => return Err(AskError::NotHttp { url }),
            Head::TooLong => return Err(AskError::TooLong { url }),
            Head::Incomplete if head.len() >= MOST_BYTES => return Err(AskError::TooLong { url }),
            Head::Incomplete => {}
        }
        wait(&stream, PollFlags::IN)?;
        let mut more = [0; 1024];
        match stream.read(&mut more) {
            Ok(0) => return Err(closed(&url)),
            Ok(count) => head.extend_from_slice(&more[..count]),
            Err(error) if is_passing(&error) => {}
            Err(_) => return Err(closed(&url)),
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[derive(Debug, PartialEq, Eq)]
enum Head {
    Status(u16),
    Incomplete,
    NotHttp,
    TooLong,
}

/// The status of an answer whose headers are whole; interim ones (1xx) come before it.
fn status(mut head: &[u8]) -> Head {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match (response.parse(head), response.code) {
            (Ok(httparse::Status::Complete(length)), Some(100..=199)) => head = &head[length..],
            (Ok(httparse::Status::Complete(_)), Some(status)) => return Head::Status(status),
            (Ok(_), _) => return Head::Incomplete,
            (Err(httparse::Error::TooManyHeaders), _) => return Head::TooLong,
            (Err(_), _) => return Head::NotHttp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Head, status};

    #[test]
    fn a_status_counts_once_its_headers_are_whole() {
        assert_eq!(status(b""), Head::Incomplete);
        assert_eq!(status(b"HTTP/1.1 200 OK\r\nA: b\r\n"), Head::Incomplete);
        assert_eq!(status(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"), Head::Status(200));
        assert_eq!(status(b"HTTP/1.0 404\r\n\r\n"), Head::Status(404));
        assert_eq!(status(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 50"), Head::Incomplete);
        assert_eq!(status(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\n\r\n"), Head::Status(503));
        assert_eq!(status(b"SSH-2.0-OpenSSH_9.2\r\n"), Head::NotHttp);
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(129));
        assert_eq!(status(many.as_bytes()), Head::TooLong);
    }
}
