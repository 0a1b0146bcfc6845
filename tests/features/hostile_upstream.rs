//! A provider that breaks HTTP in every way, with many keys at once: nobody gets another's answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};

use crate::harness::bodies::openai;
use crate::harness::client::hello;
use crate::harness::http::Reader;
use crate::harness::{Gateway, Request, Setup};

/// What a hostile provider does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trick {
    /// An answer as it should be.
    None,
    /// 103 before the answer.
    Hint,
    /// 100, 102 and 103, each apart, before the answer.
    Hints,
    /// 103, a pause, the answer.
    LateAnswer,
    /// An answer that ends with the connection.
    UntilClose,
    /// An answer of HTTP/1.0, and nothing that says that the connection goes on.
    Http10,
    /// Further bytes behind the answer, in the same write.
    MoreBytes,
    /// The answer, and another one.
    TwoAnswers,
    /// The answer, and a 408 that nobody asked for before the connection closes.
    Unasked408,
    /// The answer, and the connection closes without a word.
    Closes,
    /// The request is read, and the connection closes; on a connection's first request there is an answer.
    ClosesOnReuse,
    /// A length that is too short.
    ShortLength,
    /// Half a head, and the connection closes.
    HalfHead,
    /// A chunk whose size is no number.
    BadChunk,
    /// A switch to another protocol.
    Switches,
}

const TRICKS: [Trick; 15] = [
    Trick::None,
    Trick::Hint,
    Trick::Hints,
    Trick::LateAnswer,
    Trick::UntilClose,
    Trick::Http10,
    Trick::MoreBytes,
    Trick::TwoAnswers,
    Trick::Unasked408,
    Trick::Closes,
    Trick::ClosesOnReuse,
    Trick::ShortLength,
    Trick::HalfHead,
    Trick::BadChunk,
    Trick::Switches,
];

impl Trick {
    /// Whether what comes can be read as an answer.
    fn can_be_read(self) -> bool {
        !matches!(self, Self::ShortLength | Self::HalfHead | Self::BadChunk | Self::Switches)
    }
}

#[derive(Default)]
struct Counts {
    requests: AtomicUsize,
    reused: AtomicUsize,
}

/// A provider that takes the trick's number and the nonce from the request's text, `NUMBER NONCE`.
async fn hostile() -> (SocketAddr, Arc<Counts>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counts = Arc::new(Counts::default());
    let shared = counts.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, shared.clone()));
        }
    });
    (address, counts)
}

async fn serve(stream: TcpStream, counts: Arc<Counts>) {
    stream.set_nodelay(true).unwrap();
    let (read, mut write) = stream.into_split();
    let mut reader = Reader::new(read);
    let mut is_first = true;
    while reader.head().await.is_some() {
        let Ok(body) = serde_json::from_slice::<Value>(&reader.body().await) else { return };
        counts.requests.fetch_add(1, Ordering::Relaxed);
        counts.reused.fetch_add(usize::from(!is_first), Ordering::Relaxed);
        let text = body["messages"][0]["content"].as_str().unwrap();
        let (number, nonce) = text.split_once(' ').unwrap();
        let trick = TRICKS[number.parse::<usize>().unwrap() % TRICKS.len()];
        // The gateway may close first.
        match play(trick, nonce, body["stream"] == true, is_first, &mut write).await {
            Ok(true) => is_first = false,
            _ => return,
        }
    }
}

/// Does a trick; tells whether the connection goes on.
async fn play(
    trick: Trick,
    nonce: &str,
    is_stream: bool,
    is_first: bool,
    to: &mut OwnedWriteHalf,
) -> std::io::Result<bool> {
    let body = if is_stream { openai::stream_of(&[nonce]).concat() } else { openai::completion(nonce).to_string() };
    let kind = if is_stream { "text/event-stream" } else { "application/json" };
    let whole = |body: &str| framed("HTTP/1.1 200 OK", kind, Some(body.len()), body);
    let answer = whole(&body);
    let pause = || tokio::time::sleep(Duration::from_millis(5));
    match trick {
        Trick::None => to.write_all(answer.as_bytes()).await?,
        Trick::Hint => {
            to.write_all(["HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", &answer].concat().as_bytes()).await?
        }
        Trick::Hints => {
            for hint in ["100 Continue", "102 Processing", "103 Early Hints"] {
                to.write_all(format!("HTTP/1.1 {hint}\r\n\r\n").as_bytes()).await?;
                pause().await;
            }
            to.write_all(answer.as_bytes()).await?;
        }
        Trick::LateAnswer => {
            to.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await?;
            tokio::time::sleep(Duration::from_millis(40)).await;
            to.write_all(answer.as_bytes()).await?;
        }
        Trick::UntilClose => {
            to.write_all(framed("HTTP/1.1 200 OK", kind, None, &body).as_bytes()).await?;
            return Ok(false);
        }
        Trick::Http10 => to.write_all(framed("HTTP/1.0 200 OK", kind, Some(body.len()), &body).as_bytes()).await?,
        Trick::MoreBytes => to.write_all([&answer, "\r\n\r\nmore"].concat().as_bytes()).await?,
        Trick::TwoAnswers => {
            let other = openai::completion("foreign").to_string();
            to.write_all([answer, whole(&other)].concat().as_bytes()).await?;
        }
        Trick::Unasked408 => {
            to.write_all(answer.as_bytes()).await?;
            pause().await;
            to.write_all(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await?;
            return Ok(false);
        }
        Trick::Closes => {
            to.write_all(answer.as_bytes()).await?;
            return Ok(false);
        }
        Trick::ClosesOnReuse if !is_first => return Ok(false),
        Trick::ClosesOnReuse => to.write_all(answer.as_bytes()).await?,
        Trick::ShortLength => {
            to.write_all(framed("HTTP/1.1 200 OK", kind, Some(body.len() / 2), &body).as_bytes()).await?;
        }
        Trick::HalfHead => {
            to.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await?;
            return Ok(false);
        }
        Trick::BadChunk => {
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n";
            to.write_all([head, &answer].concat().as_bytes()).await?;
        }
        Trick::Switches => {
            to.write_all([b"HTTP/1.1 101 Switching Protocols\r\n\r\n", answer.as_bytes()].concat().as_slice()).await?;
        }
    }
    Ok(true)
}

fn framed(first: &str, kind: &str, length: Option<usize>, body: &str) -> String {
    let length = length.map(|length| format!("content-length: {length}\r\n")).unwrap_or_default();
    format!("{first}\r\ncontent-type: {kind}\r\n{length}\r\n{body}")
}

async fn before(provider: SocketAddr) -> Gateway {
    let setup = Setup::new().set("providers.openai.base_url", format!("http://{provider}/v1"));
    setup.env("OPENAI_API_KEY", "sk-openai-own").set("providers.openai.breaker.failure_threshold", 0).start().await
}

/// Asks once, and checks that the answer is the request's own.
async fn ask(gateway: &Gateway, key: &str, number: usize, nonce: &str, is_stream: bool) {
    let trick = TRICKS[number % TRICKS.len()];
    let mut body = hello("gpt-4o-mini");
    body["messages"][0]["content"] = json!(format!("{number} {nonce}"));
    body["stream"] = json!(is_stream);
    let answer = gateway.ask(Request::chat(key, &body)).await;
    let text = answer.text();
    assert!(!text.contains("foreign"), "{trick:?}: {text}");
    let own = &nonce["nonce-".len()..];
    let others = text.split("nonce-").skip(1).filter(|rest| !rest.starts_with(own));
    assert_eq!(others.count(), 0, "{trick:?} of {nonce}: {text}");
    if trick.can_be_read() {
        assert_eq!(answer.status, 200, "{trick:?}: {text}");
        assert!(text.contains(nonce), "{trick:?} of {nonce}: {text}");
        assert!(!is_stream || text.ends_with(openai::DONE), "{trick:?}: {text}");
    } else {
        assert!(text.contains("\"error\"") && [200, 502].contains(&answer.status), "{trick:?}: {text}");
        assert!(is_stream || answer.status == 502, "{trick:?}: {text}");
    }
}

/// http-interim, http-length, S14, J 7: fifty keys at once, whole and streamed, 10,000 requests, each with a nonce of its
/// own: whatever the provider does to HTTP, each answer is its request's own, and what can be read is read.
#[tokio::test]
async fn every_answer_is_given_to_its_own_request() {
    const KEYS: usize = 50;
    const REQUESTS: usize = 200;
    let (provider, counts) = hostile().await;
    let gateway = before(provider).await;
    let keys = join_all((0..KEYS).map(|_| gateway.new_key(json!({})))).await;
    join_all(keys.iter().enumerate().map(async |(key, text)| {
        for n in 0..REQUESTS {
            // Each key goes through the tricks in another order.
            let number = n * (2 * key + 1) + key;
            ask(&gateway, text, number, &format!("nonce-{key}-{n}."), n % 2 == key % 2).await;
        }
    }))
    .await;
    let (requests, reused) = (counts.requests.load(Ordering::Relaxed), counts.reused.load(Ordering::Relaxed));
    assert!(requests >= KEYS * REQUESTS, "{requests}");
    assert!(reused > KEYS * REQUESTS / 20, "connections are used again: {reused} of {requests}");
    gateway.wait_until_idle().await;
}
