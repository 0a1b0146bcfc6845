//! For tests of decoders: a stream says the same however it is split (D5), in the order that events have.

use bytes::Bytes;

use super::VendorFormat;
use crate::common::Event;

/// The most places at which a stream is cut in two; longer streams are cut at as many places, evenly.
const CUTS: usize = 4_096;

/// How many ways of splitting at random places are tried.
const RANDOM_SPLITS: u64 = 200;

/// The events of a whole stream.
///
/// # Panics
/// Where some split of it gives others, where their order is not that of [`Event`], or where a break in it is not told.
pub(crate) fn events(format: &dyn VendorFormat, stream: &str) -> Vec<Event> {
    let bytes = stream.as_bytes();
    let whole = decoded(format, &[bytes]);
    check_order(&whole);
    let step = bytes.len() / CUTS + 1;
    for at in (0..=bytes.len()).step_by(step) {
        let (first, second) = bytes.split_at(at);
        assert_eq!(decoded(format, &[first, second]), whole, "split at {at}");
        check_break(format, first, &whole);
    }
    for size in 1..=64 {
        assert_eq!(decoded(format, &bytes.chunks(size).collect::<Vec<_>>()), whole, "{size} bytes at a time");
    }
    for seed in 1..=RANDOM_SPLITS {
        assert_eq!(decoded(format, &random_split(bytes, seed)), whole, "random split {seed}");
    }
    whole
}

fn decoded(format: &dyn VendorFormat, chunks: &[&[u8]]) -> Vec<Event> {
    let (mut decoder, mut out) = (format.stream(), Vec::new());
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    decoder.finish(&mut out);
    let told = out.len();
    decoder.push(Bytes::from_static(b"data: {}\n\n{}\n"), &mut out);
    decoder.finish(&mut out);
    decoder.broken(&mut out);
    assert_eq!(out.len(), told, "nothing comes behind the end");
    out
}

/// A stream that breaks off ends in one error, unless what came was all of it.
fn check_break(format: &dyn VendorFormat, bytes: &[u8], whole: &[Event]) {
    let (mut decoder, mut out) = (format.stream(), Vec::new());
    decoder.push(Bytes::copy_from_slice(bytes), &mut out);
    decoder.broken(&mut out);
    let is_told = matches!(out.last(), Some(Event::Done | Event::Error(_)));
    assert!(is_told, "a break behind {} bytes is not told", bytes.len());
    let is_done = out.last() == Some(&Event::Done);
    assert!(!is_done || whole.last() == Some(&Event::Done), "done behind {} bytes", bytes.len());
    check_order(&out);
}

fn random_split(mut bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let (mut chunks, mut state) = (Vec::new(), seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    while !bytes.is_empty() {
        // Xorshift; empty chunks are among them.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let (chunk, rest) = bytes.split_at(bytes.len().min((state % 97) as usize));
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}

/// Checks the order that [`Event`] tells of: also of an answer that broke off.
///
/// # Panics
/// Where it is another.
pub(crate) fn check_order(events: &[Event]) {
    let (mut begun, mut open, mut next, mut usages, mut finished, mut ended) = (false, None, 0, 0, false, false);
    for (at, event) in events.iter().enumerate() {
        assert!(!ended, "{event:?} at {at} behind the end");
        let is_free = matches!(event, Event::Start(_) | Event::Error(_) | Event::Usage(_));
        assert!(begun || is_free, "{event:?} at {at} before the start");
        match event {
            Event::Start(_) => {
                assert!(!begun, "a second start at {at}");
                begun = true;
            }
            Event::BlockStart(index, _) => {
                assert_eq!((open, *index, finished), (None, next, false), "{event:?} at {at}");
                (open, next) = (Some(*index), next + 1);
            }
            Event::Delta(index, _) => assert_eq!(open, Some(*index), "{event:?} at {at}"),
            Event::BlockStop(index) => assert_eq!(open.take(), Some(*index), "{event:?} at {at}"),
            Event::Usage(_) => usages += 1,
            Event::Finish(_) => {
                assert_eq!((open, finished), (None, false), "{event:?} at {at}");
                finished = true;
            }
            Event::Done => {
                assert!(finished, "done without a finish");
                ended = true;
            }
            Event::Error(_) => ended = true,
        }
    }
    assert!(usages <= 1, "{usages} events of usage");
    assert!(ended, "the end is not told: {events:?}");
}
