//! SHA-256 of files, as hexadecimal digits.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// The hash of some bytes.
pub fn hex_digest(bytes: &[u8]) -> String {
    const_hex::encode(Sha256::digest(bytes))
}

/// The hash of a file, read piece by piece.
///
/// # Errors
/// Where the file cannot be read.
pub fn of_file(path: &Path) -> io::Result<String> {
    let (mut file, mut hash, mut piece) = (File::open(path)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(const_hex::encode(hash.finalize())),
            read => hash.update(piece.get(..read).unwrap_or_default()),
        }
    }
}
