//! The ids of answers and of their items, made of the gateway's id of the request.

/// How an id of this gateway goes on behind its prefix, by which it is told from a vendor's.
const OWN: &str = "_gw";

/// The most that is kept of the id of a request.
const MAX_KEPT: usize = 40;

/// Makes ids.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    base: String,
}

impl Ids {
    /// Ids that are unique as the request's is.
    pub fn of(request_id: &str) -> Self {
        let letters = request_id.bytes().filter(u8::is_ascii_alphanumeric).map(char::from);
        let mut base: String = letters.clone().take(MAX_KEPT).collect();
        let is_same = base.len() == request_id.bytes().filter(|byte| *byte != b'-').count();
        if !is_same {
            // What was left out still makes ids differ.
            base.truncate(MAX_KEPT - 16);
            base.push_str(&format!("{:016x}", hash(request_id.as_bytes())));
        }
        Self { base }
    }

    /// The id of the answer.
    pub fn answer(&self) -> String {
        format!("resp{OWN}{}", self.base)
    }

    /// The id of the item at a place in the output.
    pub fn item(&self, prefix: &str, place: usize) -> String {
        format!("{prefix}{OWN}{}_{place}", self.base)
    }
}

/// Whether an id was made here.
pub(super) fn is_own(id: &str) -> bool {
    id.contains(OWN)
}

/// The id of the answer that an item of this gateway belongs to.
pub(super) fn answer_of(item: &str) -> Option<String> {
    let (_, rest) = item.split_once(OWN)?;
    let (base, _) = rest.rsplit_once('_')?;
    Some(format!("resp{OWN}{base}"))
}

/// FNV-1a of 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_as_requests_do() {
        let id = Ids::of("0190-ab");
        assert_eq!((id.answer(), id.item("msg", 2)), ("resp_gw0190ab".to_owned(), "msg_gw0190ab_2".to_owned()));
        let (long, other) = (format!("{}a", "x".repeat(80)), format!("{}b", "x".repeat(80)));
        assert_ne!(Ids::of(&long).answer(), Ids::of(&other).answer());
        assert_ne!(Ids::of("a.b").answer(), Ids::of("a:b").answer());
        assert!(Ids::of(&long).item("ctc", 1_000_000).len() <= 64);
        assert_eq!(answer_of(&id.item("msg_in", 2)), Some(id.answer()));
        assert_eq!((answer_of("rs_68ab"), answer_of("gw")), (None, None));
        assert!(is_own(&id.item("rs", 0)) && !is_own("rs_68ab") && !is_own("gw"));
    }
}
