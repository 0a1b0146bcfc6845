//! The text of a virtual key: made once, shown once, and afterwards known only by its SHA-256.

use std::fmt;
use std::hash::{Hash, Hasher};

use rand::TryCryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::secret::Secret;

const PREFIX: &str = "vk-";
/// Random characters after the prefix: 190 bits, of which the hint shows 42.
const RANDOM_CHARS: usize = 32;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A fresh virtual key in the clear: shown to its maker once and never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyText(Secret);

impl KeyText {
    /// Draws a new key, `vk-` and 32 base62 characters.
    ///
    /// # Errors
    /// Where the generator fails.
    pub fn generate<R: TryCryptoRng>(rng: &mut R) -> Result<Self, R::Error> {
        let mut text = String::with_capacity(PREFIX.len() + RANDOM_CHARS);
        text.push_str(PREFIX);
        while text.len() < PREFIX.len() + RANDOM_CHARS {
            let mut bytes = Zeroizing::new([0u8; RANDOM_CHARS]);
            rng.try_fill_bytes(bytes.as_mut_slice())?;
            // Six bits a byte, and the two values without a character are skipped, so that all are equally likely.
            let chars = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte >> 2)));
            text.extend(chars.take(PREFIX.len() + RANDOM_CHARS - text.len()).map(|byte| char::from(*byte)));
        }
        Ok(Self(Secret::new(text)))
    }

    /// The key itself, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What the key is looked up by.
    pub fn hash(&self) -> KeyHash {
        KeyHash::digest(self.expose())
    }

    /// The key as people may see it again: `vk-abc…wxyz`.
    pub fn hint(&self) -> String {
        let text = self.expose();
        let head = text.get(..PREFIX.len() + 3).unwrap_or(PREFIX);
        let tail = text.get(text.len().saturating_sub(4)..).unwrap_or_default();
        format!("{head}…{tail}")
    }
}

/// SHA-256 of a virtual key. A plain digest is enough: the keys are random, so there is nothing to guess.
#[derive(Clone, Copy, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a presented key text.
    pub fn digest(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// The hash as 64 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        const_hex::encode(self.0)
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(hex: &str) -> Option<Self> {
        const_hex::decode_to_array(hex).ok().map(Self)
    }
}

impl PartialEq for KeyHash {
    /// Compares in constant time (H7).
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// How an administrator names a key: by its id, or by its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRef {
    /// By id.
    Id(Uuid),
    /// By the hash of its text.
    Hash(KeyHash),
}

impl KeyRef {
    /// Reads either form; what is no UUID can only be a key text.
    pub fn from_text(text: &str) -> Self {
        Uuid::parse_str(text).map_or_else(|_no_uuid| Self::Hash(KeyHash::digest(text)), Self::Id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::rngs::SysRng;

    use super::*;

    #[test]
    fn keys_are_long_random_and_base62() {
        let keys: Vec<_> = (0..200).map(|_| KeyText::generate(&mut SysRng).unwrap()).collect();
        for key in &keys {
            let random = key.expose().strip_prefix("vk-").unwrap();
            assert_eq!(random.len(), 32);
            assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{random}");
        }
        let distinct: HashSet<_> = keys.iter().map(KeyText::expose).collect();
        assert_eq!(distinct.len(), keys.len());
        let seen: HashSet<char> = keys.iter().flat_map(|key| key.expose().chars().skip(3)).collect();
        assert_eq!(seen.len(), 62, "every character of the alphabet is drawn");
    }

    #[test]
    fn the_hint_shows_seven_of_the_random_characters_and_debug_shows_none() {
        let key = KeyText::generate(&mut SysRng).unwrap();
        let (text, hint) = (key.expose(), key.hint());
        assert_eq!(hint, format!("{}…{}", &text[..6], &text[31..]));
        assert!(!format!("{key:?}").contains(&text[3..6]));
    }

    #[test]
    fn a_hash_survives_its_hexadecimal_form() {
        let hash = KeyHash::digest("abc");
        // The SHA-256 of "abc" from FIPS 180-2, appendix B.1.
        assert_eq!(hash.to_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(KeyHash::from_hex(&hash.to_hex()), Some(hash));
        assert_eq!(KeyHash::from_hex("ba"), None);
        assert_eq!(KeyHash::from_hex(&"zz".repeat(32)), None);
    }

    #[test]
    fn a_key_is_named_by_id_or_by_text() {
        let id = Uuid::now_v7();
        assert_eq!(KeyRef::from_text(&id.to_string()), KeyRef::Id(id));
        assert_eq!(KeyRef::from_text("vk-abc123"), KeyRef::Hash(KeyHash::digest("vk-abc123")));
    }
}
