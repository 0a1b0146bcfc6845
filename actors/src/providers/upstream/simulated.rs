//! The built-in simulator in a provider's place.

use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use http::{HeaderName, HeaderValue};

use super::UpstreamAnswer;
use super::body::BrokenBody;
use crate::providers::retry_after;
use crate::providers::simulator::{Ending, SimulatedAnswer, SimulatedBody};

/// Plays what the simulator scripted.
pub async fn simulate(script: SimulatedAnswer) -> UpstreamAnswer {
    tokio::time::sleep(script.delay).await;
    let header = |name: &str| script.headers.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str());
    let retry_after = retry_after::parse(header, SystemTime::now());
    let (events, ending) = match script.body {
        SimulatedBody::Whole { bytes, ending } => (vec![(Duration::ZERO, bytes)], ending),
        SimulatedBody::Stream { events, ending } => (events, ending),
    };
    let played = futures_util::stream::iter(events).then(|(pause, bytes)| async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Ok(bytes)
    });
    let end = futures_util::stream::once(async move {
        match ending {
            Ending::Complete => None,
            Ending::Cut => Some(Err(BrokenBody)),
            Ending::Stall => std::future::pending().await,
        }
    });
    let body = played.chain(end.filter_map(std::future::ready));
    let own = |(name, value): (&'static str, String)| {
        Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?))
    };
    let headers = script.headers.into_iter().filter_map(own).collect();
    UpstreamAnswer { status: script.status, retry_after, unknown_coding: None, headers, body: Box::pin(body.fuse()) }
}
