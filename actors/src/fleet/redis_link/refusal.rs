//! What a Redis says that is there and serves nobody.

use redis::RedisError;

/// Error codes that speak of the server or of the gateway's account on it, and not of one question.
const REFUSALS: [&str; 12] = [
    "READONLY",
    "OOM",
    "MISCONF",
    "NOAUTH",
    "WRONGPASS",
    "NOPERM",
    "NOREPLICAS",
    "LOADING",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "BUSY",
];

/// The code by which a Redis refuses to serve, where it does.
pub(super) fn refusal(error: &RedisError) -> Option<&'static str> {
    let code = error.code()?;
    if let Some(refusal) = REFUSALS.into_iter().find(|refusal| *refusal == code) {
        return Some(refusal);
    }
    // Up to version 6 Redis wraps what a script's command was refused with.
    let text = error.to_string();
    REFUSALS.into_iter().find(|refusal| text.contains(&format!("-{refusal} ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &[u8]) -> RedisError {
        redis::parse_redis_value(line).unwrap().extract_error().unwrap_err()
    }

    /// J 17: what concerns everybody is told from what concerns one question.
    #[test]
    fn j17_refusals_are_known_by_their_codes() {
        for (line, word) in [
            ("-READONLY You can't write against a read only replica.\r\n", Some("READONLY")),
            ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", Some("OOM")),
            ("-NOAUTH Authentication required.\r\n", Some("NOAUTH")),
            ("-NOPERM this user has no permissions to run the 'eval' command\r\n", Some("NOPERM")),
            ("-MISCONF Redis is configured to save RDB snapshots\r\n", Some("MISCONF")),
            ("-ERR Error running script: @user_script:4: -READONLY You can't write\r\n", Some("READONLY")),
            ("-ERR value is not an integer or out of range\r\n", None),
            ("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", None),
        ] {
            assert_eq!(refusal(&error(line.as_bytes())), word, "{line}");
        }
    }
}
