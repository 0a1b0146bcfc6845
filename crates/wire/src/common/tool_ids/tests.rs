use std::collections::HashSet;

use super::*;
use crate::common::Tool;

const RULES: [IdRule; 7] = [CHAT_ID, RESPONSES_ID, MESSAGES_ID, MISTRAL_ID, CONVERSE_ID, TOOL_NAME, GEMINI_NAME];

/// Numbers by SplitMix64, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// An id of 1 to 200 bytes: words, ASCII, or any characters.
    fn id(&mut self) -> String {
        let (length, alphabet) = (1 + self.below(200) as usize, self.below(3));
        let mut id = String::new();
        loop {
            let char = match alphabet {
                0 => char::from(DIGITS[self.below(62) as usize]),
                1 => char::from(self.below(128) as u8),
                _ => char::from_u32(self.below(0x11_0000) as u32).unwrap_or('ế'),
            };
            if id.len() + char.len_utf8() > length {
                return if id.is_empty() { "x".to_owned() } else { id };
            }
            id.push(char);
        }
    }
}

/// J12: what comes out fits, is the same for the same, differs for what differs, and is the id itself where that is valid.
#[test]
fn j12_ids_fit_their_target() {
    let mut random = Random(12);
    // Alike ids are the hardest to keep apart: also those that differ in one place, or only beyond the longest.
    let mut ids: HashSet<String> = (0..60_000).map(|_| random.id()).collect();
    ids.extend((0..20_000).map(|at| format!("call_{at}")));
    ids.extend((0..20_000).map(|at| format!("{}{at}", "a".repeat(190))));
    ids.extend((0..10_000).map(|at| format!("functions.f:{at}")));
    assert!(ids.len() >= 100_000, "{}", ids.len());
    for rule in RULES {
        let mut told = HashSet::new();
        for id in &ids {
            let fitted = rule.fit(id);
            assert!(rule.takes(&fitted), "{id:?} became {fitted:?} for {rule:?}");
            assert_eq!(rule.fit(&fitted), fitted, "once is enough");
            if rule.takes(id) {
                assert_eq!(&fitted, id);
            }
            assert!(told.insert(fitted.into_owned()), "{id:?} is told as another is, for {rule:?}");
        }
    }
}

/// J12: nodes of different builds must agree, so the map is written down here.
#[test]
fn j12_the_map_never_changes() {
    let long = "toolu_01A09q90qw90lq917835lq9x_and_much_more_of_it";
    let cases = [
        (CHAT_ID, "call_a", "call_a"),
        (CHAT_ID, "functions.f:0", "functions.f:0"),
        (CHAT_ID, long, "toolu_01A09q90qw90lq917835lq_BjGacvFPka7"),
        (RESPONSES_ID, "functions.f:0", "functions_f_0_kK2AHTlBOT3"),
        (MESSAGES_ID, "functions.f:0", "functions_f_0_kK2AHTlBOT3"),
        (MESSAGES_ID, "", "_af3Z4bUAWaK"),
        (MISTRAL_ID, "D681PevKs", "D681PevKs"),
        (MISTRAL_ID, "call_a", "TZAjzuWCE"),
        (TOOL_NAME, "mcp.server/lấy", "mcp_server_l_y_0PYcUORZhBD"),
        (GEMINI_NAME, "1-f", "_1-f_MZecwVK7ov9"),
        (GEMINI_NAME, "a.b:c-d", "a.b:c-d"),
    ];
    for (rule, id, expected) in cases {
        assert_eq!(rule.fit(id), expected, "{id}");
    }
}

fn tool(namespace: Option<&str>, name: &str, kind: ToolKind) -> Tool {
    let definition = ToolDefinition::Client {
        kind,
        name: name.into(),
        namespace: namespace.map(Into::into),
        description: None,
        schema: None,
        strict: None,
        is_deferred: false,
        rest: Vec::new(),
    };
    Tool { definition, cache: None }
}

/// J12, J10: the client sees its own names again, and the namespace that they are in.
#[test]
fn j12_an_answered_name_is_the_clients_own() {
    let odd = "lấy.thời tiết".repeat(9);
    let tools = vec![
        tool(None, &odd, ToolKind::Function),
        tool(Some("mcp__srv"), "get", ToolKind::Function),
        tool(Some("pad__"), "apply", ToolKind::Custom),
        tool(None, "get", ToolKind::Function),
    ];
    let conversation = Conversation { tools, ..Conversation::default() };
    for rule in NAME_RULES {
        check_names(&conversation, &rule).unwrap();
        let told = rule.name(None, &odd);
        assert_eq!(own_tool(&conversation, &told).unwrap().name, odd);
    }
    assert_eq!(TOOL_NAME.name(Some("mcp__srv"), "get"), "mcp__srv__get");
    assert_eq!(TOOL_NAME.name(Some("pad__"), "apply"), "pad__apply");
    let own = own_tool(&conversation, "mcp__srv__get").unwrap();
    assert_eq!(own, OwnTool { name: "get", namespace: Some("mcp__srv"), kind: ToolKind::Function });
    assert_eq!(own_tool(&conversation, "pad__apply").unwrap().kind, ToolKind::Custom);
    assert_eq!(own_tool(&conversation, "get").unwrap().namespace, None);
    assert_eq!(own_tool(&conversation, "other"), None);
}

/// J10: two tools that would be one at the target are refused.
#[test]
fn j10_names_that_fall_together_are_refused() {
    let of = |tools| Conversation { tools, ..Conversation::default() };
    let two = of(vec![tool(Some("a"), "b", ToolKind::Function), tool(None, "a__b", ToolKind::Function)]);
    assert_eq!(check_names(&two, &TOOL_NAME).unwrap_err().param.as_deref(), Some("tools[1].name"));
    let twice = of(vec![tool(None, "a", ToolKind::Function), tool(None, "a", ToolKind::Function)]);
    assert_eq!(check_names(&twice, &TOOL_NAME), Ok(()));
}
