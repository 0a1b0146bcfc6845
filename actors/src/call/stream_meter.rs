//! What a stream consumes, counted as it passes, and cut where its reservation ends.

use bytes::{Bytes, BytesMut};

use super::metadata;
use crate::cache::recorder::Recorder;
use crate::metering::Metering;
use crate::money::PicoUsd;
use crate::pump::Meter;
use crate::record::RequestRecord;
use crate::wire::{Usage, openai, sse};

/// Counts a stream as it passes.
pub(super) struct StreamMeter<'a> {
    pub(super) metering: Metering,
    pub(super) record: &'a mut RequestRecord,
    pub(super) provider: &'a str,
    pub(super) include_usage: bool,
    pub(super) recorder: Option<Recorder>,
    pub(super) cost: Option<PicoUsd>,
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
            true => self.metering.settle_told(usage, None, "success").await,
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
