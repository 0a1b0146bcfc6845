//! The admin token: configured, or made at the first start and shown once with a key to try the gateway with.

use std::io::Write;
use std::net::SocketAddr;

use actix::{Actor, Context, Handler, Message};
use gateway_actors::db::actor::{GetSetting, SetSetting, StoreActor};
use gateway_actors::keys::registry::{CreateKey, KeyRegistry};
use gateway_actors::keys::virtual_key::{KeyHash, NewKey};
use gateway_actors::runtime::mailbox::{Mailbox, Parcel};
use gateway_actors::secret::Secret;
use rand::distr::{Alphanumeric, SampleString};

/// The setting that holds the hash of the generated token.
const TOKEN_HASH: &str = "admin_token_sha256";

/// An admin token that was made just now: nothing is stored of it until it was shown.
pub struct FirstStart {
    token: Secret,
}

/// The hash of the admin token in force, and what to show if it was made just now.
///
/// # Errors
/// Where the store does not answer; the text says why.
pub async fn admin_token(
    configured: Option<&Secret>,
    store: &Mailbox<StoreActor>,
) -> Result<(KeyHash, Option<FirstStart>), String> {
    if let Some(token) = configured {
        return Ok((KeyHash::digest(token.expose()), None));
    }
    let stored = ask(store, GetSetting(TOKEN_HASH.to_owned())).await?;
    if let Some(hash) = stored {
        return Ok((KeyHash::from_hex(&hash).unwrap_or_else(unreadable), None));
    }
    let token = Secret::new(format!("admin-{}", Alphanumeric.sample_string(&mut rand::rng(), 40)));
    let hash = KeyHash::digest(token.expose());
    Ok((hash, Some(FirstStart { token })))
}

/// A hash that no token has: the admin API stays shut, and everything else goes on.
fn unreadable() -> KeyHash {
    log::error!(
        "the stored hash of the admin token cannot be read: the admin API refuses every request until GATEWAY_ADMIN_TOKEN is set"
    );
    KeyHash::digest(&Alphanumeric.sample_string(&mut rand::rng(), 40))
}

async fn ask<A, M, T, E>(actor: &Mailbox<A>, message: M) -> Result<T, String>
where
    A: Actor<Context = Context<A>> + Handler<M> + Handler<Parcel<A>>,
    M: Message<Result = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    actor.ask(message).await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

impl FirstStart {
    /// Shows the token, a key and a first request, and stores the token's hash: in this order, as a token that is stored
    /// and was never seen would lock the operator out.
    ///
    /// # Errors
    /// Where standard error is closed, or the store does not answer.
    pub async fn show(
        self,
        address: SocketAddr,
        registry: &Mailbox<KeyRegistry>,
        store: &Mailbox<StoreActor>,
    ) -> Result<(), String> {
        let new = NewKey { name: "Simulator".to_owned(), provider: Some("simulator".to_owned()), ..NewKey::default() };
        let key = ask(registry, CreateKey(new)).await?;
        self.print(address, key.text.expose()).map_err(|error| format!("the admin token cannot be shown: {error}"))?;
        let value = KeyHash::digest(self.token.expose()).to_hex();
        ask(store, SetSetting { name: TOKEN_HASH.to_owned(), value }).await
    }

    /// Writes to standard error, which no log collector parses.
    fn print(&self, address: SocketAddr, key: &str) -> std::io::Result<()> {
        let token = self.token.expose();
        let mut out = std::io::stderr().lock();
        writeln!(
            out,
            "\nFirst start. These are shown once; only their hashes are stored.\n\n  admin token:  {token}\n  \
             virtual key:  {key}  (for the built-in simulator)\n\nUse the token in the terminal:\n\n  \
             export GATEWAY_ADMIN_TOKEN={token}\n\nSend a request:\n\n  \
             curl http://{address}/v1/chat/completions -H 'Content-Type: application/json' \
             -H 'Authorization: Bearer {key}' \
             -d '{{\"model\":\"sim-text\",\"messages\":[{{\"role\":\"user\",\"content\":\"Xin chào!\"}}]}}'\n"
        )
    }
}
