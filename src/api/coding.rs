//! Undoes the codings of a request's body (`Content-Encoding`), within the limit of a body.

use std::io::{self, Read};

use actix_web::http::header::{CONTENT_ENCODING, HeaderMap};
use brotli_decompressor::Decompressor;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use gateway_actors::content_coding::{self, Coding, MAX_CODINGS, Unsupported, ZSTD_WINDOW_LOG, has_zlib_header};

use super::body_budget::BodyShare;
use crate::error::{ApiError, Code};

/// The codings that are undone, as `Accept-Encoding` tells them.
pub const ACCEPT_ENCODING: &str = "gzip, deflate, br, zstd";

const PIECE: usize = 64 << 10;

/// The codings of a body, in the order in which they were applied.
///
/// # Errors
/// 415 where one of them is not known, or they are too many.
pub fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, ApiError> {
    let values = headers.get_all(CONTENT_ENCODING);
    content_coding::codings(values.map(|value| value.as_bytes())).map_err(|error| match error {
        Unsupported::Unknown(name) => unsupported(&format!("The content encoding '{name}' is not supported")),
        Unsupported::TooMany(_) => unsupported(&format!("More than {MAX_CODINGS} content encodings are not supported")),
    })
}

fn unsupported(what: &str) -> ApiError {
    let message = format!("{what}: send the body plain, or with one of {ACCEPT_ENCODING}.");
    ApiError { param: Some(CONTENT_ENCODING.as_str().to_owned()), ..ApiError::new(Code::UnsupportedEncoding, message) }
}

/// Why a body could not be decoded.
#[derive(Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It is larger than a body may be.
    TooLarge,
    /// The bodies under way leave no room for it.
    NoRoom,
    /// The data is broken.
    Broken,
}

/// The body without its codings; it stops as soon as one of them gives more than `limit` bytes.
///
/// # Errors
/// Why it cannot be had.
pub fn undo(body: &[u8], codings: &[Coding], limit: usize, share: &mut BodyShare) -> Result<Vec<u8>, DecodeError> {
    let mut reader: Box<dyn Read + '_> = Box::new(body);
    for coding in codings.iter().rev() {
        let decoder: Box<dyn Read + '_> = match coding {
            Coding::Gzip => Box::new(MultiGzDecoder::new(reader)),
            Coding::Deflate => deflate(reader).map_err(|_| DecodeError::Broken)?,
            Coding::Brotli => Box::new(Decompressor::new(reader, PIECE)),
            Coding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::new(reader).map_err(|_| DecodeError::Broken)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| DecodeError::Broken)?;
                Box::new(decoder)
            }
        };
        reader = Box::new(Bounded { reader: decoder, left: limit });
    }
    let mut decoded = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        let count = match reader.read(&mut piece) {
            Ok(0) => return Ok(decoded),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Err(DecodeError::TooLarge),
            Err(_) => return Err(DecodeError::Broken),
        };
        if !share.grow(count) {
            return Err(DecodeError::NoRoom);
        }
        decoded.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
}

/// `deflate` means zlib's format, and some clients send it without zlib's header.
fn deflate<'a>(mut reader: Box<dyn Read + 'a>) -> io::Result<Box<dyn Read + 'a>> {
    let mut first = [0];
    reader.read_exact(&mut first)?;
    let has_header = has_zlib_header(first[0]);
    let whole = io::Cursor::new(first).chain(reader);
    Ok(if has_header { Box::new(ZlibDecoder::new(whole)) } else { Box::new(DeflateDecoder::new(whole)) })
}

/// A reader that fails once it has given as many bytes as it may.
struct Bounded<R> {
    reader: R,
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(count).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use gateway_testkit::compression::{bare_deflate, gzip, zlib};
    use uuid::Uuid;

    use super::*;
    use crate::api::body_budget::BodyBudget;

    fn named(names: &str) -> Result<Vec<Coding>, ApiError> {
        codings(&[(CONTENT_ENCODING, HeaderValue::from_str(names).unwrap())].into_iter().collect())
    }

    fn undone(names: &str, bytes: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
        let mut share = BodyBudget::new(1 << 30, 1 << 20).share(Uuid::nil());
        undo(bytes, &named(names).unwrap(), limit, &mut share)
    }

    /// coding-out, S08: each coding is undone, and several one after the other.
    #[test]
    fn s08_each_coding_is_undone() {
        let text = "Xin chào! ".repeat(20_000).into_bytes();
        let zstd = zstd::encode_all(&*text, 3).unwrap();
        for (names, bytes) in [
            ("gzip", gzip(&text)),
            ("X-GZip", gzip(&text)),
            ("gzip", [gzip(&text[..7]), gzip(&text[7..])].concat()),
            ("deflate", zlib(&text)),
            ("deflate", bare_deflate(&text)),
            ("zstd", zstd.clone()),
            ("gzip, zstd", zstd::encode_all(&*gzip(&text), 3).unwrap()),
            ("zstd,identity , gzip", gzip(&zstd)),
        ] {
            assert_eq!(undone(names, &bytes, 1 << 20).unwrap(), text, "{names}");
        }
        // The brotli of five words, made by its reference encoder.
        let brotli = const_hex::decode("1b1c00f88d946ede445586966c206f414f1c2071").unwrap();
        assert_eq!(undone("br", &brotli, 100).unwrap(), b"hello hello hello hello hello");
    }

    /// S08: a bomb stops at the limit, also where it is hidden inside another coding.
    #[test]
    fn s08_a_bomb_is_too_large() {
        let zeros = vec![0; 1 << 20];
        for (names, bytes) in [
            ("gzip", gzip(&zeros)),
            ("deflate", zlib(&zeros)),
            ("zstd", zstd::encode_all(&*zeros, 3).unwrap()),
            ("gzip, gzip", gzip(&gzip(&zeros))),
            // What is inside gives nothing, and is long all the same.
            ("gzip, gzip", gzip(&gzip(b"").repeat(10_000))),
        ] {
            assert_eq!(undone(names, &bytes, 100_000), Err(DecodeError::TooLarge), "{names}");
        }
        assert_eq!(undone("gzip", &gzip(&zeros[..100_000]), 100_000).map(|body| body.len()), Ok(100_000));
        let mut share = BodyBudget::new(100_000, 100_000).share(Uuid::nil());
        assert_eq!(undo(&gzip(&zeros), &[Coding::Gzip], 1 << 20, &mut share), Err(DecodeError::NoRoom));
    }

    #[test]
    fn s08_broken_data_is_told_from_an_unknown_coding() {
        for names in ["gzip", "deflate", "br", "zstd"] {
            assert_eq!(undone(names, b"{\"model\":\"no coding\"}", 1000), Err(DecodeError::Broken), "{names}");
        }
        let half = gzip(&[7; 1000]);
        assert_eq!(undone("gzip", &half[..half.len() / 2], 10_000), Err(DecodeError::Broken));
        assert_eq!(undone("deflate", b"", 1000), Err(DecodeError::Broken));
        for names in ["rot13", "gzip, compress", "gzip,gzip,gzip,gzip"] {
            assert_eq!(named(names).unwrap_err().code, Code::UnsupportedEncoding, "{names}");
        }
    }
}
