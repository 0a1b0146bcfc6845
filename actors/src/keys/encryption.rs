//! Sealing of provider credentials: what the database holds is useless without the master key (H1).

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs, io};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use zeroize::Zeroizing;

use crate::db::create_parent;
use crate::secret::Secret;

/// The first byte of everything sealed, so that a later format can be told apart without touching the schema.
const FORMAT: u8 = 1;
/// The length of an AES-GCM nonce, in bytes.
const NONCE_LEN: usize = 12;

/// Why a master key could not be had, or a credential not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// The text is no 32-byte key.
    #[error("a master key must be 32 random bytes, as 64 hexadecimal digits or as base64")]
    NotAKey,
    /// The master key file could not be read or created.
    #[error("master key file {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The master key file holds something else.
    #[error("master key file {} holds no key (32 bytes as hexadecimal digits or base64): restore it from a backup", .0.display())]
    FileContent(PathBuf),
    /// The operating system's random generator failed.
    #[error("the operating system gave no random bytes: {0}")]
    Random(#[from] SysError),
    /// The cipher refused to seal.
    #[error("the credential is too long to be encrypted")]
    TooLong,
    /// The sealed bytes do not belong to this master key and this record.
    #[error("the encrypted credential cannot be decrypted: the master key is different, or the data is damaged")]
    DoesNotOpen,
}

/// The key that seals every stored provider credential (AES-256-GCM). The cipher overwrites its keys when dropped.
#[derive(Clone)]
pub struct MasterKey {
    cipher: Aes256Gcm,
    /// The empty file that it is meant for, and its text.
    unwritten: Option<Arc<(PathBuf, Secret)>>,
}

impl MasterKey {
    /// Reads a key as an operator writes it: 64 hexadecimal digits, or base64 of 32 bytes in either alphabet.
    ///
    /// # Errors
    /// [`SealingError::NotAKey`] for anything else.
    pub fn from_hex_or_base64(text: &str) -> Result<Self, SealingError> {
        let text = text.trim();
        let bytes = from_hex(text).or_else(|| {
            [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|engine| engine.decode(text).ok())
        });
        let bytes = Zeroizing::new(bytes.ok_or(SealingError::NotAKey)?);
        let cipher = Aes256Gcm::new_from_slice(&bytes).map_err(|_wrong_length| SealingError::NotAKey)?;
        Ok(Self { cipher, unwritten: None })
    }

    /// Reads the key from `path`, or on the first start creates it there with file mode 0600. For an empty file, as a full
    /// disk left it in former versions, a key is made that [`MasterKey::keep`] writes.
    ///
    /// # Errors
    /// Where the file cannot be read or created, or holds no key. A file that holds something is never overwritten: every
    /// stored credential would be lost.
    pub fn load_or_create(path: &Path) -> Result<Self, SealingError> {
        let failed = |source| SealingError::File { path: path.to_owned(), source };
        match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) if text.trim().is_empty() => {
                let (key, text) = Self::generate()?;
                Ok(Self { unwritten: Some(Arc::new((path.to_owned(), text))), ..key })
            }
            Ok(text) => {
                warn_if_others_can_read(path);
                Self::from_hex_or_base64(&text).map_err(|_not_a_key| SealingError::FileContent(path.to_owned()))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let (key, text) = Self::generate()?;
                create_parent(path).map_err(failed)?;
                write_new(path, &text).map_err(failed)?;
                Ok(key)
            }
            Err(e) => Err(failed(e)),
        }
    }

    /// Whether its file is still empty.
    pub fn is_unwritten(&self) -> bool {
        self.unwritten.is_some()
    }

    /// Writes the key into its empty file; where credentials were sealed already, the file has lost the key of these.
    ///
    /// # Errors
    /// Where the file cannot be written, or must be restored.
    pub fn keep(&self, has_sealed: bool) -> Result<(), SealingError> {
        let Some((path, text)) = self.unwritten.as_deref() else { return Ok(()) };
        if has_sealed {
            return Err(SealingError::FileContent(path.clone()));
        }
        let failed = |source| SealingError::File { path: path.clone(), source };
        match fs::read_to_string(path) {
            Ok(text) if text.trim().is_empty() => fs::remove_file(path).map_err(failed)?,
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        match write_new(path, text) {
            // The store was away, or another attempt to start came so far.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let is_this = fs::read_to_string(path).is_ok_and(|there| there.trim() == text.expose());
                if is_this { Ok(()) } else { Err(failed(error)) }
            }
            written => written.map_err(failed),
        }
    }

    fn generate() -> Result<(Self, Secret), SealingError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        SysRng.try_fill_bytes(bytes.as_mut_slice())?;
        let text = Secret::new(const_hex::encode(bytes.as_slice()));
        Ok((Self::from_hex_or_base64(text.expose())?, text))
    }

    /// Seals a credential under a fresh random nonce; `record` (the virtual key's id) is authenticated with it, so that
    /// sealed bytes moved to another record do not open.
    ///
    /// # Errors
    /// Where the operating system has no random bytes.
    pub fn seal(&self, credential: &Secret, record: &[u8]) -> Result<Vec<u8>, SealingError> {
        let mut nonce = [0u8; NONCE_LEN];
        SysRng.try_fill_bytes(&mut nonce)?;
        let payload = Payload { msg: credential.expose().as_bytes(), aad: record };
        let text = self.cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_too_long| SealingError::TooLong)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + text.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// Opens what [`MasterKey::seal`] sealed for the same record.
    ///
    /// # Errors
    /// [`SealingError::DoesNotOpen`] for another master key, another record or changed bytes.
    pub fn open(&self, sealed: &[u8], record: &[u8]) -> Result<Secret, SealingError> {
        let rest = sealed.strip_prefix(&[FORMAT]).ok_or(SealingError::DoesNotOpen)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealingError::DoesNotOpen)?;
        let payload = Payload { msg: text, aad: record };
        let bytes = self.cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_opaque| SealingError::DoesNotOpen)?;
        String::from_utf8(bytes).map(Secret::new).map_err(|_not_text| SealingError::DoesNotOpen)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Writes a private file that is not there yet: whole, or not at all. Of two processes that start at once, one creates it
/// and one fails.
fn write_new(path: &Path, text: &Secret) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let unnamed = PathBuf::from(name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unnamed)?;
    // Linked, as a rename would replace a file that came meanwhile.
    let written =
        writeln!(file, "{}", text.expose()).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&unnamed, path));
    let removed = fs::remove_file(&unnamed);
    written.and(removed)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// Only a warning, because secrets mounted by an orchestrator are often readable by their group.
fn warn_if_others_can_read(path: &Path) {
    if let Ok(metadata) = fs::metadata(path)
        && metadata.permissions().mode() & 0o077 != 0
    {
        log::warn!("master key file {} is readable by other users: chmod 600 it", path.display());
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() == 64 { const_hex::decode(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use gateway_testkit::temp_dir::TestDir;
    use zeroize::ZeroizeOnDrop;

    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_hex_or_base64(&format!("{byte:02x}").repeat(32)).unwrap()
    }

    #[test]
    fn a_sealed_credential_opens_for_its_own_record_only() {
        let sealed = key(7).seal(&Secret::new("sk-canary"), b"id-1").unwrap();
        assert_eq!(key(7).open(&sealed, b"id-1").unwrap().expose(), "sk-canary");
        assert!(key(7).open(&sealed, b"id-2").is_err(), "moved to another record");
        assert!(key(8).open(&sealed, b"id-1").is_err(), "another master key");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key(7).open(&changed, b"id-1").is_err(), "byte {at} changed");
        }
        for len in 0..sealed.len() {
            assert!(key(7).open(&sealed[..len], b"id-1").is_err(), "cut to {len}");
        }
    }

    #[test]
    fn the_same_credential_is_never_sealed_to_the_same_bytes() {
        let seal = || key(7).seal(&Secret::new("sk-canary"), b"id").unwrap();
        assert_ne!(seal(), seal());
    }

    #[test]
    fn keys_are_read_as_hex_and_as_base64() {
        let sealed = key(0xfb).seal(&Secret::new("s"), b"").unwrap();
        let padded = STANDARD.encode([0xfb; 32]);
        let url = URL_SAFE_NO_PAD.encode([0xfb; 32]);
        for text in [&"FB".repeat(32), &padded, &url, &format!("  {padded}\n")] {
            assert!(MasterKey::from_hex_or_base64(text).unwrap().open(&sealed, b"").is_ok(), "{text}");
        }
        for text in ["", "abc", &"fb".repeat(31), &"zz".repeat(32), &STANDARD.encode([1; 16])] {
            assert!(matches!(MasterKey::from_hex_or_base64(text), Err(SealingError::NotAKey)), "{text}");
        }
    }

    #[test]
    fn the_first_start_creates_a_private_file_and_later_starts_read_it() {
        let dir = TestDir::new();
        let path = dir.path().join("deep/master.key");
        let sealed = MasterKey::load_or_create(&path).unwrap().seal(&Secret::new("s"), b"").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(MasterKey::load_or_create(&path).unwrap().open(&sealed, b"").unwrap().expose(), "s");
    }

    #[test]
    fn a_file_without_a_key_is_refused_and_left_alone() {
        let dir = TestDir::new();
        let path = dir.path().join("master.key");
        fs::write(&path, "not a key").unwrap();
        let error = MasterKey::load_or_create(&path).unwrap_err();
        assert!(matches!(error, SealingError::FileContent(_)), "{error}");
        assert!(!error.to_string().contains("not a key"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "not a key");
    }

    /// J 18: an empty file, as a full disk leaves it, is filled where nothing was sealed, and never where something was.
    #[test]
    fn j18_an_empty_file_is_filled_where_nothing_is_sealed() {
        let dir = TestDir::new();
        let path = dir.path().join("master.key");
        for empty in ["", "\n"] {
            fs::write(&path, empty).unwrap();
            let key = MasterKey::load_or_create(&path).unwrap();
            assert!(key.is_unwritten());
            let error = key.keep(true).unwrap_err();
            assert!(matches!(error, SealingError::FileContent(_)), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), empty);
            let other = MasterKey::load_or_create(&path).unwrap();
            key.keep(false).unwrap();
            key.keep(false).unwrap();
            assert!(other.keep(false).is_err(), "another process was quicker");
            let sealed = key.seal(&Secret::new("s"), b"").unwrap();
            let again = MasterKey::load_or_create(&path).unwrap();
            assert!(!again.is_unwritten());
            assert_eq!(again.open(&sealed, b"").unwrap().expose(), "s");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    /// H1: nothing of a master key is left in memory, as long as the cipher's crate has this feature.
    #[test]
    fn a_master_key_prints_as_stars_and_is_overwritten() {
        fn is_overwritten<T: ZeroizeOnDrop>() {}
        is_overwritten::<Aes256Gcm>();
        assert_eq!(format!("{:?}", key(1)), "***");
    }
}
