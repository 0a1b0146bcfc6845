use std::time::Duration;

use actix_rt::Arbiter;
use chrono::TimeDelta;
use gateway_testkit::database::Place;
use gateway_testkit::temp_dir::TestDir;

use super::*;
use crate::db::tests::OpenStore;
use crate::db::tests::sql::Sql;
use crate::keys::virtual_key::{KeyRef, KeyRefusal, NewKey};
use crate::limits::Limits;
use crate::runtime::mailbox::Mailbox;
use crate::secret::Secret;

const CREDENTIAL: &str = "sk-canary-real-credential";

struct Registry {
    arbiter: Arbiter,
    mailbox: Mailbox<KeyRegistry>,
    table: SharedKeyTable,
}

impl Registry {
    async fn try_start(dir: &TestDir, master_key: &str) -> Result<Self, KeyError> {
        let arbiter = Arbiter::new();
        let master_key = MasterKey::from_hex_or_base64(&master_key.repeat(32)).unwrap();
        let stats = ActorStats::new("KeyRegistry", "control", 8);
        let started = KeyRegistry::start(&arbiter.handle(), dir.url(), master_key, Arc::clone(&stats)).await?;
        let mailbox = Mailbox::new(started.address, stats, Duration::from_secs(30));
        Ok(Self { arbiter, mailbox, table: started.keys })
    }

    async fn start(dir: &TestDir) -> Self {
        Self::try_start(dir, "07").await.unwrap()
    }

    async fn create(&self) -> CreatedKey {
        self.mailbox.ask(CreateKey(new_key())).await.unwrap().unwrap()
    }

    async fn change(&self, key: &VirtualKey, change: KeyChange) -> Result<Arc<VirtualKey>, KeyError> {
        self.mailbox.ask(UpdateKey { key: KeyRef::Id(key.id), change }).await.unwrap()
    }

    /// Ends the registry's thread, and with it the connection.
    fn stop(self) {
        self.arbiter.stop();
        self.arbiter.join().unwrap();
    }
}

fn new_key() -> NewKey {
    NewKey {
        name: "Production Key".to_owned(),
        provider: Some("openai".to_owned()),
        real_api_key: Some(Secret::new(CREDENTIAL)),
        limits: Limits { requests_per_minute: Some(100), ..Limits::default() },
        budget_limit_usd: Some("500".parse().unwrap()),
        allowed_models: Some(vec!["gpt-*".to_owned()]),
        expires_at: Some("2099-01-01T00:00:00Z".parse().unwrap()),
        ..NewKey::default()
    }
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// H1: neither the key nor the provider credential can be read from the database's files, at any moment.
#[actix_rt::test]
async fn h1_no_secret_is_in_the_database_files() {
    let dir = TestDir::new();
    let registry = Registry::start(&dir).await;
    let created = registry.create().await;
    let rotate =
        RotateProviderKey { key: KeyRef::Id(created.key.id), credential: Secret::new("sk-canary-second-credential") };
    registry.mailbox.ask(rotate).await.unwrap().unwrap();
    let reissue = ReissueKey { key: KeyRef::Id(created.key.id), grace: TimeDelta::hours(1) };
    let reissued = registry.mailbox.ask(reissue).await.unwrap().unwrap();

    let while_open = dir.bytes();
    registry.stop();
    for bytes in [while_open, dir.bytes()] {
        assert!(contains(&bytes, "Production Key"), "the record is there");
        assert!(!contains(&bytes, "sk-canary"));
        for text in [&created.text, &reissued.text] {
            assert!(!contains(&bytes, text.expose()));
            // Nor the part of the key that its hint leaves out.
            assert!(!contains(&bytes, &text.expose()[6..31]));
        }
    }
}

/// H1: a credential shows in no `Debug` output of what carries it.
#[test]
fn h1_debug_output_shows_no_credential() {
    let change = KeyChange { real_api_key: Some(Some(Secret::new(CREDENTIAL))), ..KeyChange::default() };
    assert!(!format!("{:?}{change:?}", new_key()).contains("canary"));
}

#[actix_rt::test]
async fn a_key_works_as_soon_as_it_is_made_and_after_a_restart() {
    let dir = TestDir::new();
    let registry = Registry::start(&dir).await;
    let created = registry.create().await;
    let (found, _) = registry.table.load().find(created.text.expose()).unwrap();
    assert!(Arc::ptr_eq(&found, &created.key), "published before the answer");
    registry.stop();

    let registry = Registry::start(&dir).await;
    let (found, hash) = registry.table.load().find(created.text.expose()).unwrap();
    assert_eq!(found.id, created.key.id);
    assert_eq!(found.real_api_key.as_ref().unwrap().expose(), CREDENTIAL);
    assert_eq!(found.budget_limit_usd, new_key().budget_limit_usd);
    assert_eq!(found.allowed_models, new_key().allowed_models);
    assert_eq!(found.expires_at, new_key().expires_at);
    assert_eq!(found.limits.requests_per_minute, Some(100));
    assert!(found.limited().is_some() && found.authorize(hash, Utc::now()).is_ok());
    assert_eq!(found.hint, created.text.hint());
    registry.stop();
}

/// H7: every key is in memory, so a flood of unknown keys costs no database look-up: here there is no database any more.
#[actix_rt::test]
async fn h7_an_unknown_key_never_reaches_the_database() {
    let dir = TestDir::new();
    let registry = Registry::start(&dir).await;
    let created = registry.create().await;
    let table = Arc::clone(&registry.table);
    registry.stop();
    drop(dir);

    for number in 0..10_000 {
        assert!(table.load().find(&format!("vk-unknown{number}")).is_none());
    }
    assert!(table.load().find(created.text.expose()).is_some());
}

#[actix_rt::test]
async fn a_revoked_key_is_refused_at_once_and_after_a_restart() {
    let dir = TestDir::new();
    let registry = Registry::start(&dir).await;
    let created = registry.create().await;
    registry.mailbox.ask(RevokeKey(KeyRef::from_text(created.text.expose()))).await.unwrap().unwrap();
    let refusal = |registry: &Registry| {
        let (key, hash) = registry.table.load().find(created.text.expose()).unwrap();
        key.authorize(hash, Utc::now()).unwrap_err()
    };
    assert_eq!(refusal(&registry), KeyRefusal::Revoked);
    registry.stop();
    let registry = Registry::start(&dir).await;
    assert_eq!(refusal(&registry), KeyRefusal::Revoked);
    registry.stop();
}

/// H5: the next request uses the new provider credential, and one under way keeps the one it started with.
#[actix_rt::test]
async fn h5_rotation_takes_effect_on_the_next_request() {
    let dir = TestDir::new();
    let registry = Registry::start(&dir).await;
    let created = registry.create().await;
    let (under_way, _) = registry.table.load().find(created.text.expose()).unwrap();
    let rotate = RotateProviderKey { key: KeyRef::Id(created.key.id), credential: Secret::new("sk-new") };
    registry.mailbox.ask(rotate).await.unwrap().unwrap();

    let (next, _) = registry.table.load().find(created.text.expose()).unwrap();
    assert_eq!(next.real_api_key.as_ref().unwrap().expose(), "sk-new");
    assert_eq!(under_way.real_api_key.as_ref().unwrap().expose(), CREDENTIAL);
    registry.stop();
}

/// H5: a reissued key is found by its new text and its former one, by no older one, also after a restart; and it stays
/// the same key with the same limiter.
#[actix_rt::test]
async fn h5_a_reissued_key_is_found_by_its_last_two_texts() {
    let dir = TestDir::new();
    let book = async || {
        let master_key = MasterKey::from_hex_or_base64(&"07".repeat(32)).unwrap();
        KeyStore::open(Rc::new(Store::open(&dir.url()).await.unwrap()), master_key, Announcer::default()).await.unwrap()
    };
    let now = "2026-11-25T12:00:00Z".parse().unwrap();
    let keys = book().await;
    let first = keys.create(new_key(), now, &mut SysRng).await.unwrap();
    let id = KeyRef::Id(first.key.id);
    let second = keys.reissue(&id, TimeDelta::hours(1), now, &mut SysRng).await.unwrap();
    let by_its_text = KeyRef::from_text(second.text.expose());
    let third = keys.reissue(&by_its_text, TimeDelta::seconds(60), now, &mut SysRng).await.unwrap();
    assert_eq!((third.key.id, third.key.created_at), (first.key.id, first.key.created_at));
    assert_eq!(third.key.hint, third.text.hint());
    assert!(Arc::ptr_eq(third.key.counters.as_ref().unwrap(), first.key.counters.as_ref().unwrap()));

    let check = |keys: &KeyStore| {
        let works = |text: &KeyText, after| {
            let (key, hash) = keys.table().load().find(text.expose())?;
            Some(key.authorize(hash, now + TimeDelta::seconds(after)))
        };
        assert_eq!(works(&first.text, 0), None);
        assert_eq!((works(&second.text, 59), works(&third.text, 59)), (Some(Ok(())), Some(Ok(()))));
        assert_eq!((works(&second.text, 61), works(&third.text, 61)), (Some(Err(KeyRefusal::Reissued)), Some(Ok(()))));
    };
    check(&keys);
    drop(keys);
    check(&book().await);
    let unknown = book().await.reissue(&KeyRef::from_text("vk-unknown"), TimeDelta::zero(), now, &mut SysRng).await;
    assert!(matches!(unknown, Err(KeyError::NotFound)));
}

/// H5: with one process' look at what another changed, too, a text that was replaced twice is gone.
#[actix_rt::test]
async fn h5_another_process_learns_of_a_reissued_key() {
    let dir = TestDir::new();
    let book = async || {
        let master_key = MasterKey::from_hex_or_base64(&"07".repeat(32)).unwrap();
        KeyStore::open(Rc::new(Store::open(&dir.url()).await.unwrap()), master_key, Announcer::default()).await.unwrap()
    };
    let (one, now) = (book().await, Utc::now());
    let first = one.create(new_key(), now, &mut SysRng).await.unwrap();
    let other = book().await;
    let id = KeyRef::Id(first.key.id);
    let second = one.reissue(&id, TimeDelta::hours(1), now, &mut SysRng).await.unwrap();
    other.refresh().await.unwrap();
    let finds = |text: &KeyText| other.table().load().find(text.expose()).is_some();
    assert_eq!((finds(&first.text), finds(&second.text)), (true, true));
    let third = one.reissue(&id, TimeDelta::hours(1), now, &mut SysRng).await.unwrap();
    other.refresh().await.unwrap();
    assert_eq!((finds(&first.text), finds(&second.text), finds(&third.text)), (false, true, true));
}

#[actix_rt::test]
async fn an_edit_gives_a_key_no_fresh_minute() {
    let dir = TestDir::new();
    let registry = Registry::start(&dir).await;
    let key = registry.create().await.key;
    let rename = KeyChange { name: Some("new name".to_owned()), ..KeyChange::default() };
    let renamed = registry.change(&key, rename).await.unwrap();
    assert_eq!(renamed.name, "new name");
    let counters = |key: &VirtualKey| key.limited().unwrap().counters;
    assert!(Arc::ptr_eq(&counters(&renamed), &counters(&key)));

    let slower = KeyChange { rate_limit: Some(Some(1)), ..KeyChange::default() };
    let slowed = registry.change(&key, slower).await.unwrap();
    assert!(Arc::ptr_eq(&counters(&slowed), &counters(&key)));
    assert_eq!(slowed.limited().unwrap().limits.requests_per_minute, Some(1));
    let free = KeyChange { rate_limit: Some(None), ..KeyChange::default() };
    assert!(registry.change(&key, free).await.unwrap().limited().is_none());
    registry.stop();
}

/// H1: a credential never goes to a provider that it was not given for.
#[actix_rt::test]
async fn h1_a_credential_does_not_follow_a_change_of_provider() {
    let dir = TestDir::new();
    let registry = Registry::start(&dir).await;
    let key = registry.create().await.key;
    let to = |provider: Option<&str>| KeyChange { provider: Some(provider.map(str::to_owned)), ..KeyChange::default() };

    let error = registry.change(&key, to(Some("anthropic"))).await.err().unwrap();
    assert!(matches!(error, KeyError::CredentialOfAnotherProvider), "{error}");
    let error = registry.change(&key, to(None)).await.err().unwrap();
    assert!(matches!(error, KeyError::CredentialWithoutProvider), "{error}");
    let orphan = NewKey { provider: None, ..new_key() };
    let error = registry.mailbox.ask(CreateKey(orphan)).await.unwrap().err().unwrap();
    assert!(matches!(error, KeyError::CredentialWithoutProvider), "{error}");

    let with_its_own = KeyChange { real_api_key: Some(Some(Secret::new("sk-ant"))), ..to(Some("anthropic")) };
    let moved = registry.change(&key, with_its_own).await.unwrap();
    assert_eq!(moved.provider.as_deref(), Some("anthropic"));
    let freed = registry.change(&key, KeyChange { real_api_key: Some(None), ..to(None) }).await.unwrap();
    assert!(freed.real_api_key.is_none() && freed.provider.is_none());
    assert_eq!(registry.mailbox.report().failed, 0, "wrong questions are no failures of the actor");
    registry.stop();
}

/// L-7: of two processes that edit provider and credential at once, the later one is refused: no credential ends with a
/// provider that it was not given for.
#[actix_rt::test]
async fn l_7_an_edit_goes_out_from_the_provider_that_the_store_has() {
    let dir = TestDir::new();
    let book = async || {
        let master_key = MasterKey::from_hex_or_base64(&"07".repeat(32)).unwrap();
        KeyStore::open(Rc::new(Store::open(&dir.url()).await.unwrap()), master_key, Announcer::default()).await.unwrap()
    };
    let (one, now) = (book().await, Utc::now());
    let id = KeyRef::Id(one.create(new_key(), now, &mut SysRng).await.unwrap().key.id);
    let credential = |text: &str| Some(Some(Secret::new(text)));
    let other = book().await;
    let moved = KeyChange {
        provider: Some(Some("anthropic".to_owned())),
        real_api_key: credential("sk-ant"),
        ..KeyChange::default()
    };
    one.update(&id, moved, now).await.unwrap();
    let rotated = KeyChange { real_api_key: credential("sk-openai"), ..KeyChange::default() };
    let refused = other.update(&id, rotated.clone(), now).await.err().unwrap();
    assert!(matches!(refused, KeyError::ChangedMeanwhile), "{refused}");
    let key = other.table().load().get(&id).unwrap();
    assert_eq!(key.provider.as_deref(), Some("anthropic"), "it looked");
    assert_eq!(key.real_api_key.as_ref().unwrap().expose(), "sk-ant");

    // One believes that there is no credential that could go along; the other gives one.
    one.update(&id, KeyChange { real_api_key: Some(None), ..KeyChange::default() }, now).await.unwrap();
    other.update(&id, rotated, now).await.unwrap();
    let moved = KeyChange { provider: Some(Some("openai".to_owned())), ..KeyChange::default() };
    let refused = one.update(&id, moved, now).await.err().unwrap();
    assert!(matches!(refused, KeyError::ChangedMeanwhile), "{refused}");
    let renamed = KeyChange { name: Some("new".to_owned()), ..KeyChange::default() };
    assert_eq!(one.update(&id, renamed, now).await.unwrap().name, "new");
}

#[actix_rt::test]
async fn keys_are_listed_in_the_order_they_were_made() {
    let dir = TestDir::new();
    let registry = Registry::start(&dir).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(registry.create().await.key.id);
    }
    let listed: Vec<_> = registry.mailbox.ask(ListKeys).await.unwrap().iter().map(|key| key.id).collect();
    assert_eq!(listed, made);
    assert!(registry.mailbox.ask(GetKey(KeyRef::Id(made[0]))).await.unwrap().is_some());
    assert!(registry.mailbox.ask(GetKey(KeyRef::from_text("vk-unknown"))).await.unwrap().is_none());
    let unknown = registry.mailbox.ask(RevokeKey(KeyRef::from_text("vk-unknown"))).await.unwrap();
    assert!(matches!(unknown, Err(KeyError::NotFound)));
    registry.stop();
}

#[actix_rt::test]
async fn another_master_key_stops_the_start_instead_of_losing_credentials() {
    let dir = TestDir::new();
    let registry = Registry::start(&dir).await;
    let created = registry.create().await;
    registry.stop();
    let error = Registry::try_start(&dir, "08").await.err().unwrap();
    assert!(matches!(&error, KeyError::Credential { id, .. } if *id == created.key.id.to_string()), "{error}");
}

/// H-3: one key that cannot be read, or whose credential is damaged, stops no start: it alone does not work, and is named
/// until it is repaired.
#[actix_rt::test]
async fn h_3_a_bad_key_stops_no_start() {
    let dir = TestDir::new();
    let registry = Registry::start(&dir).await;
    let keys = [registry.create().await, registry.create().await, registry.create().await];
    registry.stop();
    let place = Place::at(dir.url());
    let sql = Sql::new(&place);
    let [listed, sealed, good] = keys.each_ref().map(|key| &*key.key.id_text);
    sql.run("DROP TRIGGER IF EXISTS virtual_keys_check_update");
    sql.run(&format!("UPDATE virtual_keys SET allowed_models = 'gpt-4*' WHERE id = '{listed}'"));
    sql.run(&format!("UPDATE virtual_keys SET real_api_key = x'010203' WHERE id = '{sealed}'"));

    let store = Rc::new(Store::open(&dir.url()).await.unwrap());
    let master_key = MasterKey::from_hex_or_base64(&"07".repeat(32)).unwrap();
    let book = KeyStore::open(store.clone(), master_key, Announcer::default()).await.unwrap();
    let works = || keys.each_ref().map(|key| book.table().load().find(key.text.expose()).is_some());
    assert_eq!(works(), [false, false, true]);
    let bad: Vec<String> = store.bad_rows().all().iter().map(ToString::to_string).collect();
    assert!(bad[0].contains(listed) && bad[0].contains("allowed_models"), "{bad:?}");
    assert!(bad[1].contains(sealed) && bad[1].contains("real_api_key"), "{bad:?}");

    sql.run(&format!("UPDATE virtual_keys SET allowed_models = NULL WHERE id = '{listed}'"));
    sql.run(&format!("DELETE FROM virtual_keys WHERE id IN ('{sealed}', '{good}')"));
    book.refresh().await.unwrap();
    assert_eq!(works(), [true, false, false]);
    assert_eq!(store.bad_rows().all(), []);
}

/// J 26: an edit of limits that was made is no failure because it could not be read again.
#[actix_rt::test]
async fn j_26_limits_that_were_set_are_set_though_they_cannot_be_read_now() {
    let place = Place::sqlite();
    let store = std::rc::Rc::new(place.store().await);
    let master_key = MasterKey::from_hex_or_base64(&"07".repeat(32)).unwrap();
    let book = key_store::KeyStore::open(store.clone(), master_key, Announcer::default()).await.unwrap();
    crate::db::tests::sqlite::break_reads_of_limits(&store).await;
    let scope = crate::scope::Scope::new(crate::scope::ScopeKind::Team, "red");
    assert!(store.scope_limits(&crate::db::Which::All).await.is_err());
    book.set_limits(&scope, Limits { max_parallel: Some(1), ..Limits::default() }).await.unwrap();
    assert_eq!(Sql::new(&place).count("SELECT count(*) AS count FROM scope_limits"), 1);
}
