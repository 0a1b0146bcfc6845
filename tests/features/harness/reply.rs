//! What a fake provider answers, step by step.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Semaphore;

/// Holds a reply back until the test lets it go on.
#[derive(Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets one waiting step through.
    pub fn open(&self) {
        self.0.add_permits(1);
    }

    /// Lets everything through from now on.
    pub fn open_for_good(&self) {
        self.0.add_permits(1_000_000);
    }

    pub(super) async fn pass(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// One step of a reply.
#[derive(Clone)]
pub(super) enum Step {
    /// The status line and headers.
    Head { status: u16, headers: Vec<(String, String)>, length: Option<usize> },
    /// A piece of the body.
    Send(Vec<u8>),
    /// Wait for the test.
    Wait(Gate),
    /// Close the connection without ending the body.
    Cut,
    /// Reset the connection.
    Reset,
    /// Nothing more, with the connection left open.
    Stall,
    /// The end of a chunked body.
    End,
}

/// A scripted reply, made by the functions here and then refined.
#[derive(Clone)]
pub struct Reply {
    pub(super) steps: Vec<Step>,
    /// The size of each write, where the body is cut into small ones.
    pub(super) write_size: Option<usize>,
}

impl Reply {
    fn new(steps: Vec<Step>) -> Self {
        Self { steps, write_size: None }
    }

    /// A whole JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", &body.to_string())
    }

    /// A whole answer of any kind.
    pub fn text(status: u16, content_type: &str, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        let head = Step::Head { status, headers, length: Some(body.len()) };
        Self::new(vec![head, Step::Send(body.as_bytes().to_vec())])
    }

    /// A stream that is told piece by piece with [`Reply::then`] and its kin, and ends there.
    pub fn stream(content_type: &str) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self::new(vec![Step::Head { status: 200, headers, length: None }])
    }

    /// A stream of server-sent events.
    pub fn events<S: AsRef<str>>(events: impl IntoIterator<Item = S>) -> Self {
        events.into_iter().fold(Self::stream("text/event-stream"), |reply, event| reply.then(event.as_ref()))
    }

    /// A connection that closes instead of answering.
    pub fn hang_up() -> Self {
        Self::new(vec![Step::Cut])
    }

    /// A request that is read and never answered.
    pub fn silence() -> Self {
        Self::new(vec![Step::Stall])
    }

    /// Adds a header to the head.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        for step in &mut self.steps {
            if let Step::Head { headers, .. } = step {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        self
    }

    /// Sends a piece of the body.
    pub fn then(mut self, text: &str) -> Self {
        self.steps.push(Step::Send(text.as_bytes().to_vec()));
        self
    }

    /// Waits for the gate at this point.
    pub fn wait(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Wait(gate.clone()));
        self
    }

    /// Waits for the gate before the head.
    pub fn after(mut self, gate: &Gate) -> Self {
        self.steps.insert(0, Step::Wait(gate.clone()));
        self
    }

    /// Breaks the connection at this point.
    pub fn cut(mut self) -> Self {
        self.steps.push(Step::Cut);
        self
    }

    /// Resets the connection at this point, as a machine does that crashes.
    pub fn reset(mut self) -> Self {
        self.steps.push(Step::Reset);
        self
    }

    /// Falls silent at this point.
    pub fn stall(mut self) -> Self {
        self.steps.push(Step::Stall);
        self
    }

    /// Writes the body in pieces of this many bytes.
    pub fn in_writes_of(mut self, bytes: usize) -> Self {
        self.write_size = Some(bytes);
        self
    }

    /// The steps to take, the end of a chunked body among them.
    pub(super) fn script(mut self) -> Vec<Step> {
        let chunked = self.steps.iter().any(|step| matches!(step, Step::Head { length: None, .. }));
        if chunked {
            self.steps.push(Step::End);
        }
        self.steps
    }
}
