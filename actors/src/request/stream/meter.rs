//! What a stream consumes, counted as it passes, and cut where its reservation ends.

use bytes::{Bytes, BytesMut};
use gateway_wire::{Usage, openai, sse};

use super::relay::Meter;
use crate::cache::recorder::Recorder;
use crate::money::amount::PicoUsd;
use crate::request::call::metadata;
use crate::request::metering::Metering;
use crate::request::request_log::RequestRecord;

/// Counts a stream as it passes.
pub(in crate::request) struct StreamMeter<'a> {
    pub(in crate::request) metering: Metering,
    pub(in crate::request) record: &'a mut RequestRecord,
    pub(in crate::request) provider: &'a str,
    pub(in crate::request) include_usage: bool,
    pub(in crate::request) recorder: Option<Recorder>,
    pub(in crate::request) cost: Option<PicoUsd>,
}

impl Meter for StreamMeter<'_> {
    async fn chunk(&mut self, frame: &Bytes) -> Option<Bytes> {
        if let Some(recorder) = &mut self.recorder {
            recorder.chunk(frame);
        }
        if !self.metering.is_used_up_by(frame).await {
            return None;
        }
        self.recorder = None;
        log::warn!("'{}' did not keep to max_tokens: a stream is cut where its reservation ends", self.provider);
        let mut last = BytesMut::from(&*openai::cut_off(frame, self.metering.choices()));
        if let Some((usage, cost)) = self.metering.settle_counted("success").await {
            self.record.metered(&usage, cost);
            if self.include_usage {
                let chunk = openai::usage_chunk(frame, &usage);
                last.extend_from_slice(&sse::frame(&openai::with_metadata(&chunk, &metadata(self.provider, cost))));
            }
        }
        Some(last.freeze())
    }

    async fn usage(&mut self, usage: &Usage, chunk: Bytes, is_whole: bool) -> Option<Bytes> {
        let (usage, cost) = match is_whole {
            true => self.metering.settle_reported(usage, None, "success").await,
            false => self.metering.settle_at_least(usage, "error").await,
        };
        self.record.metered(&usage, cost);
        self.cost = cost;
        if let Some(recorder) = &mut self.recorder {
            recorder.usage(&chunk);
        }
        self.include_usage.then(|| openai::with_metadata(&chunk, &metadata(self.provider, cost)))
    }
}
