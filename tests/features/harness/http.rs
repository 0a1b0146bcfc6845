//! As much HTTP/1.1 as both ends of a test need, read byte for byte.

use tokio::io::{AsyncRead, AsyncReadExt};

/// A first line and headers.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub first_line: String,
    pub headers: Vec<(String, String)>,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let first_line = lines.next().unwrap_or_default().to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Self { first_line, headers }
    }
}

/// How a body's end is told.
#[derive(Clone, Copy, Debug)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// A socket's reading half with what was read ahead.
pub struct Reader<R> {
    source: R,
    buffer: Vec<u8>,
    framing: Framing,
    /// Whether the body came to its proper end.
    pub complete: bool,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), framing: Framing::Length(0), complete: false }
    }

    /// Reads a message's head; `None` when the peer closed before one began.
    pub async fn head(&mut self) -> Option<Head> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at;
            }
            if !self.fill().await {
                return None;
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head = Head::parse(&String::from_utf8_lossy(&head));
        self.framing = match (head.header("transfer-encoding"), head.header("content-length")) {
            (Some(_), _) => Framing::Chunked,
            (None, Some(length)) => Framing::Length(length.parse().unwrap()),
            (None, None) if head.first_line.starts_with("HTTP/") => Framing::UntilClose,
            (None, None) => Framing::Length(0),
        };
        self.complete = false;
        Some(head)
    }

    /// The next piece of the body; `None` at its end, proper (`complete`) or not.
    pub async fn piece(&mut self) -> Option<Vec<u8>> {
        match self.framing {
            Framing::Length(0) => {
                self.complete = true;
                None
            }
            Framing::Length(left) => {
                if self.buffer.is_empty() && !self.fill().await {
                    return None;
                }
                let piece: Vec<u8> = self.buffer.drain(..left.min(self.buffer.len())).collect();
                self.framing = Framing::Length(left - piece.len());
                Some(piece)
            }
            Framing::UntilClose => {
                if self.buffer.is_empty() && !self.fill().await {
                    self.complete = true;
                    return None;
                }
                Some(std::mem::take(&mut self.buffer))
            }
            Framing::Chunked => self.chunk().await,
        }
    }

    async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.until(b"\r\n").await?;
        let size = String::from_utf8_lossy(&line);
        let size = usize::from_str_radix(size.trim().split(';').next()?, 16).ok()?;
        while self.buffer.len() < size + 2 {
            if !self.fill().await {
                return None;
            }
        }
        let piece: Vec<u8> = self.buffer.drain(..size + 2).take(size).collect();
        if piece.is_empty() {
            self.framing = Framing::Length(0);
            self.complete = true;
            return None;
        }
        Some(piece)
    }

    /// The whole body.
    pub async fn body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await {
            body.extend(piece);
        }
        body
    }

    /// Resolves when the peer closes its side, or sends what nobody asked for.
    pub async fn closed(&mut self) {
        let mut byte = [0; 1];
        let _ = self.source.read(&mut byte).await;
    }

    async fn until(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.buffer, mark) {
                return Some(self.buffer.drain(..at + mark.len()).collect());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    async fn fill(&mut self) -> bool {
        // Into the vector: an array here would be part of every future that reads, and overflow the test's stack.
        self.buffer.reserve(16 * 1024);
        matches!(self.source.read_buf(&mut self.buffer).await, Ok(count) if count > 0)
    }
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|window| window == mark)
}
