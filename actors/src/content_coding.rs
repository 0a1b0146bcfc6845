//! Names of `Content-Encoding`: the codings of a body, whichever way it goes.

/// Codings over one another, at most.
pub const MAX_CODINGS: usize = 3;

/// The most that a zstd frame may have its reader remember, as a power of two: 8 MiB, which every reader must
/// (RFC 8878, 3.1.1.1.2).
pub const ZSTD_WINDOW_LOG: u32 = 23;

/// The longest name that is told, in characters.
const MAX_NAME: usize = 40;

/// One coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip` or `x-gzip`.
    Gzip,
    /// `deflate`, with zlib's header or without.
    Deflate,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

/// Why the codings of a body are not undone.
#[derive(Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// The name is not known.
    Unknown(String),
    /// These are more than [`MAX_CODINGS`].
    TooMany(String),
}

/// The codings that the values of `Content-Encoding` name, in the order in which they were applied.
///
/// # Errors
/// Where one of them is not known, or they are too many.
pub fn codings<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Coding>, Unsupported> {
    let (mut codings, mut names) = (Vec::new(), Vec::new());
    for value in values {
        let value = String::from_utf8_lossy(value).to_ascii_lowercase();
        for name in value.split(',').map(str::trim) {
            codings.push(match name {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "deflate" => Coding::Deflate,
                "br" => Coding::Brotli,
                "zstd" => Coding::Zstd,
                other => return Err(Unsupported::Unknown(shown(other))),
            });
            names.push(name.to_owned());
        }
    }
    if codings.len() > MAX_CODINGS {
        return Err(Unsupported::TooMany(shown(&names.join(", "))));
    }
    Ok(codings)
}

fn shown(name: &str) -> String {
    name.chars().take(MAX_NAME).filter(|c| !c.is_control()).collect()
}

/// Whether a body of `deflate` begins with zlib's header, which some senders leave out.
pub fn has_zlib_header(first: u8) -> bool {
    first & 0x0f == 8 && first >> 4 <= 7
}
