use serde_json::Value;

use super::*;
use crate::common::{AnswerHead, BlockHead, Collector, Delta, Event, Finish, FinishReason};
use crate::vendors::rechunk;

const LINES: &str = "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"hm\"},\"done\":false}\n\
    {\"model\":\"m\",\"message\":{\"content\":\"Xin chào \\ud83d\"},\"done\":false}\n\
    {\"model\":\"m\",\"message\":{\"content\":\"\\ude00\"},\"done\":false}\n\
    {\"message\":{\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{}}},{\"function\":{\"name\":\"g\",\"arguments\":{\"a\":1.0}}}]}}\n\
    {\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":3,\"eval_count\":4}\n";

fn error(events: &[Event]) -> &ErrorBody {
    let errors: Vec<&ErrorBody> = events
        .iter()
        .filter_map(|event| match event {
            Event::Error(error) => Some(error),
            _ => None,
        })
        .collect();
    let [error] = errors[..] else { panic!("{events:?}") };
    assert!(matches!(events.last(), Some(Event::Error(_))), "{events:?}");
    error
}

fn whole(events: Vec<Event>) -> Answer {
    let mut collector = Collector::default();
    let ends: Vec<bool> = events.into_iter().map(|event| collector.push(event).unwrap()).collect();
    assert_eq!(ends.last(), Some(&true));
    collector.whole().unwrap()
}

/// D5, I1: any chunking tells the same; a split surrogate pair is joined, parallel calls are blocks of their own.
#[test]
fn d5_a_stream_is_told() {
    let usage = Usage { prompt_tokens: 3, completion_tokens: 4, ..Usage::default() };
    let piece = |at, text: &str| Event::Delta(at, Delta::Text(text.into()));
    let expected = [
        Event::Start(AnswerHead { model: "m".into(), ..AnswerHead::default() }),
        Event::BlockStart(0, BlockHead::Thinking { is_summary: false }),
        piece(0, "hm"),
        Event::BlockStop(0),
        Event::BlockStart(1, BlockHead::Text),
        piece(1, "Xin chào "),
        piece(1, "😀"),
        Event::BlockStop(1),
        Event::BlockStart(2, BlockHead::ToolUse(call("", "f", "{}"))),
        Event::BlockStop(2),
        Event::BlockStart(3, BlockHead::ToolUse(call("", "g", "{\"a\":1.0}"))),
        Event::BlockStop(3),
        Event::Finish(Finish { reason: FinishReason::Tool, ..Finish::default() }),
        Event::Usage(usage),
        Event::Done,
    ];
    assert_eq!(rechunk::events(&Ollama, LINES), expected);
}

/// D2: an error line and an end without `done` are errors; what came before stays.
#[test]
fn d2_broken_streams_are_told() {
    let first = LINES.lines().next().unwrap();
    let cases = [
        ("", "stream_cut"),
        (r#"{"error":{"message":"x","code":"busy"}}"#, "busy"),
        (r#"{"message":{"content":"Xin ch"#, "stream_cut"),
        ("[]\n", "malformed_stream"),
        ("<html>\n", "malformed_stream"),
    ];
    for (last, code) in cases {
        let events = rechunk::events(&Ollama, &format!("{first}\n{last}"));
        assert_eq!(error(&events).code.as_deref(), Some(code), "{last}");
        assert_eq!(events[2], Event::Delta(0, Delta::Text("hm".into())));
    }
    let failed = rechunk::events(&Ollama, &format!("{first}\n{{\"error\":\"out of memory\"}}\n"));
    assert_eq!(error(&failed).message, "out of memory");
    assert_eq!(error(&rechunk::events(&Ollama, "")).code.as_deref(), Some("stream_cut"));
}

/// Only what carries a part of the answer closes the way to another target (D1).
#[test]
fn d1_a_start_is_no_content() {
    let events = rechunk::events(&Ollama, LINES);
    assert_eq!(events.iter().position(Event::is_content), Some(2));
}

/// other-framing: one whole answer in a stream's place may be spread over lines, with a byte order mark before it.
#[test]
fn a_whole_answer_is_told_as_a_stream() {
    let answer = serde_json::json!({"model": "llama3:8b", "message": {"role": "assistant", "content": "good"}, "done": true,
        "prompt_eval_count": 5, "eval_count": 2});
    let pretty = format!("\u{feff}{answer:#}");
    for stream in [pretty.clone(), pretty + "\n", answer.to_string()] {
        assert_eq!(whole(rechunk::events(&Ollama, &stream)).blocks, [text("good")], "{stream}");
    }
    assert_eq!(error(&rechunk::events(&Ollama, "{\n\"error\": \"xyzzy\"\n}")).message, "xyzzy");
}

/// ollama-call-in-the-last-line: a call that comes with the end is told.
#[test]
fn i2_a_call_in_the_last_line_is_told() {
    let stream =
        "{\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}]},\"done\":true}";
    let answer = whole(rechunk::events(&Ollama, stream));
    assert_eq!(answer.blocks, [BlockKind::ToolUse(call("", "f", "{\"a\":1}")).into()]);
    assert_eq!(answer.finish.reason, FinishReason::Tool);
}

/// A stream says the same as the whole answer; thinking may come again behind words.
#[test]
fn f4_streams_and_whole_answers_say_the_same() {
    let logprobs = "\"logprobs\":[{\"token\":\"a\",\"logprob\":-0.5}]";
    let stream = format!(
        "{{\"model\":\"m\",\"message\":{{\"thinking\":\"h\"}}}}\n{{\"message\":{{\"thinking\":\"m\"}}}}\n\
        {{\"message\":{{\"content\":\"a\"}},{logprobs}}}\n{{\"message\":{{\"content\":\"b\"}},{logprobs}}}\n\
        {{\"done\":true,{logprobs},\"done_reason\":\"length\",\"eval_count\":1}}\n"
    );
    let list = "{\"token\":\"a\",\"logprob\":-0.5}";
    let body = format!(
        "{{\"model\":\"m\",\"message\":{{\"thinking\":\"hm\",\"content\":\"ab\"}},\"logprobs\":[{list},{list},{list}],\
        \"done\":true,\"done_reason\":\"length\",\"eval_count\":1}}"
    );
    let mut streamed = whole(rechunk::events(&Ollama, &stream));
    let lists: Vec<Vec<Value>> = streamed.logprobs.iter().map(|list| list.read().unwrap()).collect();
    streamed.logprobs = vec![JsonText::from(Value::from(lists.concat()))];
    assert_eq!(Ok(streamed.clone()), Ollama.answer(&Bytes::from(body)));
    let again: Vec<Event> = streamed.clone().into_events();
    rechunk::check_order(&again);
    assert_eq!(whole(again), streamed);
    let alternating =
        "{\"message\":{\"content\":\"a\"}}\n{\"message\":{\"thinking\":\"b\",\"content\":\"c\"},\"done\":true}\n";
    assert_eq!(whole(rechunk::events(&Ollama, alternating)).blocks.len(), 3);
}

/// Behind the end, the decoder is known to be complete, and reads no more.
#[test]
fn a_stream_is_complete_at_its_end() {
    let (mut decoder, mut out) = (Ollama.stream(), Vec::new());
    decoder.push(Bytes::from_static(LINES.as_bytes()), &mut out);
    assert!(decoder.is_complete());
    let told = out.len();
    decoder.push(Bytes::from_static(LINES.as_bytes()), &mut out);
    decoder.finish(&mut out);
    assert_eq!(out.len(), told);
    let mut broken = Ollama.stream();
    broken.broken(&mut out);
    assert!(!broken.is_complete());
}

/// G8: an answer that is never whole takes time in proportion to its length, however many lines it has, and a line
/// without an end is given up.
#[test]
fn g8_hostile_answers_are_read_once() {
    let (mut decoder, mut out) = (Ollama.stream(), Vec::new());
    let begun = std::time::Instant::now();
    for chunk in "[\n".repeat(1 << 20).as_bytes().chunks(1 << 16) {
        decoder.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    decoder.finish(&mut out);
    assert_eq!((error(&out).code.as_deref(), out.len()), (Some("stream_cut"), 1));
    // It takes minutes where each line reads the whole.
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "took {:?}", begun.elapsed());
    let (mut decoder, mut out) = (Ollama.stream(), Vec::new());
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    (0..17).for_each(|_| decoder.push(chunk.clone(), &mut out));
    assert_eq!(error(&out).code.as_deref(), Some("malformed_stream"));
}
