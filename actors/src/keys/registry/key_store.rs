//! The registry's work, without the actor: write the store first, then publish.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rand::TryCryptoRng;
use serde_json::json;
use uuid::Uuid;

use super::rows::{key_of, new_row, row_change};
use super::{CreatedKey, KeyError};
use crate::db::bad_rows::BadRow;
use crate::db::{KeyExpectation, KeyReissue, KeyRow, Mark, Store, StoreError, TableRows, Which, scope_of};
use crate::fleet::announce::{Announcer, Change};
use crate::keys::encryption::MasterKey;
use crate::keys::table::SharedKeyTable;
use crate::keys::virtual_key::{KeyChange, KeyRef, KeyText, NewKey, VirtualKey};
use crate::limits::Limits;
use crate::limits::limit_table::SharedLimitTable;
use crate::scope::Scope;
use crate::secret::Secret;

/// The setting that holds a known text, sealed, by which the right master key is told from another one.
const MASTER_KEY_CHECK: &str = "master_key_check";

/// The virtual keys and where they are kept. Edits must come one after the other: the registry sees to that.
pub(super) struct KeyStore {
    store: Rc<Store>,
    master_key: MasterKey,
    table: SharedKeyTable,
    limits: SharedLimitTable,
    /// Up to where changes of others were read.
    mark: RefCell<Option<Mark>>,
    announcer: Announcer,
}

impl KeyStore {
    /// Publishes every key in the store that can be read.
    pub(super) async fn open(store: Rc<Store>, master_key: MasterKey, announcer: Announcer) -> Result<Self, KeyError> {
        let book = Self {
            store,
            master_key,
            table: SharedKeyTable::default(),
            limits: SharedLimitTable::default(),
            mark: RefCell::default(),
            announcer,
        };
        book.check_master_key().await?;
        book.refresh().await?;
        Ok(book)
    }

    /// Refuses a master key that opens nothing of what the store holds. What does not open under the right one is
    /// damaged, which is the fault of its row alone.
    async fn check_master_key(&self) -> Result<(), KeyError> {
        let check = self.store.setting(MASTER_KEY_CHECK).await?;
        let opens = |text: &str| {
            const_hex::decode(text)
                .is_ok_and(|sealed| self.master_key.open(&sealed, MASTER_KEY_CHECK.as_bytes()).is_ok())
        };
        if check.as_deref().is_some_and(opens) {
            return Ok(());
        }
        let rows = self.store.read_keys(&Which::All).await?.rows;
        let mut sealed = rows.iter().filter(|row| row.real_api_key.is_some()).peekable();
        let opens = |row: &KeyRow| !matches!(key_of(row.clone(), &self.master_key), Err(KeyError::Credential { .. }));
        if let Some(first) = sealed.peek().copied().cloned()
            && !sealed.any(opens)
        {
            return key_of(first, &self.master_key).map(drop);
        }
        let sealed = self.master_key.seal(&Secret::new("master key"), MASTER_KEY_CHECK.as_bytes());
        let sealed = sealed.map_err(|source| KeyError::Credential { id: MASTER_KEY_CHECK.to_owned(), source })?;
        Ok(self.store.set_setting(MASTER_KEY_CHECK, &const_hex::encode(sealed)).await?)
    }

    pub(super) fn table(&self) -> &SharedKeyTable {
        &self.table
    }

    pub(super) fn limits(&self) -> &SharedLimitTable {
        &self.limits
    }

    pub(super) async fn create<R: TryCryptoRng>(
        &self,
        new: NewKey,
        now: DateTime<Utc>,
        rng: &mut R,
    ) -> Result<CreatedKey, KeyError> {
        if new.real_api_key.is_some() && new.provider.is_none() {
            return Err(KeyError::CredentialWithoutProvider);
        }
        let text = KeyText::generate(rng).map_err(|e| KeyError::Random(e.to_string()))?;
        let row = new_row(new, Uuid::now_v7(), &text, now, &self.master_key)?;
        self.store.insert_key(&row).await?;
        let key = self.publish(key_of(row, &self.master_key)?)?;
        self.store.audit("key.create", &key.id_text, json!({ "name": key.name, "provider": key.provider })).await;
        Ok(CreatedKey { text, key })
    }

    pub(super) async fn update(
        &self,
        key: &KeyRef,
        change: KeyChange,
        now: DateTime<Utc>,
    ) -> Result<Arc<VirtualKey>, KeyError> {
        let current = self.table.load().get(key).ok_or(KeyError::NotFound)?;
        check_credential(&current, &change)?;
        let fields = change.fields();
        let believed = believed(&current, &change);
        let change = row_change(change, current.id, now, &self.master_key)?;
        let Some(row) = self.store.update_key(&current.id_text, believed.as_ref(), change).await? else {
            // Deleted by somebody, or changed in what the edit goes out from: this process learns which.
            self.read_keys(Which::Some(BTreeSet::from([current.id_text.to_string()]))).await?;
            let is_there = self.table.load().get(&KeyRef::Id(current.id)).is_some();
            return Err(if is_there { KeyError::ChangedMeanwhile } else { KeyError::NotFound });
        };
        let key = self.publish(key_of(row, &self.master_key)?)?;
        self.store.audit("key.change", &key.id_text, json!({ "fields": fields, "is_active": key.is_active })).await;
        Ok(key)
    }

    /// Gives a key a new text; the one that it had works on for `grace` (H5).
    pub(super) async fn reissue<R: TryCryptoRng>(
        &self,
        key: &KeyRef,
        grace: TimeDelta,
        now: DateTime<Utc>,
        rng: &mut R,
    ) -> Result<CreatedKey, KeyError> {
        let current = self.table.load().get(key).ok_or(KeyError::NotFound)?;
        let text = KeyText::generate(rng).map_err(|e| KeyError::Random(e.to_string()))?;
        let new = KeyReissue {
            virtual_key: text.hash().to_hex(),
            hint: text.hint(),
            former_until: (now + grace).into(),
            updated_at: now.into(),
        };
        let row = self.store.reissue_key(&current.id_text, new).await?.ok_or(KeyError::NotFound)?;
        let key = self.publish(key_of(row, &self.master_key)?)?;
        self.store.audit("key.reissue", &key.id_text, json!({ "grace_seconds": grace.num_seconds() })).await;
        Ok(CreatedKey { text, key })
    }

    /// Publishes what another process, or an operator with SQL, has changed.
    pub(super) async fn refresh(&self) -> Result<(), KeyError> {
        let mark = self.mark.borrow().clone();
        let changes = self.store.changes_since(mark.as_ref()).await?;
        let keys = match changes.of("virtual_keys") {
            Some(which) => self.read_keys(which).await,
            None => Ok(()),
        };
        if let Some(which) = changes.of("scope_limits") {
            self.read_limits(which).await?;
        }
        keys?;
        self.mark.replace(Some(changes.mark));
        Ok(())
    }

    /// Reads some keys, or all, and publishes them. A row that cannot be read is no key: nobody knows what it may do.
    async fn read_keys(&self, which: Which) -> Result<(), StoreError> {
        let TableRows { rows, mut bad } = self.store.read_keys(&which).await?;
        let mut read = HashSet::with_capacity(rows.len());
        let mut changed = Vec::new();
        let table = self.table.load_full();
        for row in rows {
            let id = row.id.clone();
            match key_of(row, &self.master_key) {
                Ok(key) => {
                    read.insert(key.id);
                    if !table.get(&KeyRef::Id(key.id)).is_some_and(|known| known.is_same_as(&key)) {
                        changed.push(key);
                    }
                }
                Err(error) => bad.push(BadRow::new("virtual_keys", id, error.problem())),
            }
        }
        let asked: HashSet<Uuid> = match &which {
            Which::All => table.all().iter().map(|key| key.id).collect(),
            Which::Some(ids) => ids.iter().filter_map(|id| Uuid::parse_str(id).ok()).collect(),
        };
        let is_gone = |id: &Uuid| asked.contains(id) && !read.contains(id);
        let differs =
            !changed.is_empty() || asked.iter().any(|id| is_gone(id) && table.get(&KeyRef::Id(*id)).is_some());
        if differs {
            self.table.store(Arc::new(table.with_all(changed).only(|id| !is_gone(id))));
        }
        self.store.note_bad("virtual_keys", &which, bad);
        Ok(())
    }

    /// Reads the limits of some users and teams, or of all, and publishes them.
    async fn read_limits(&self, which: Which) -> Result<(), StoreError> {
        let read = self.store.scope_limits(&which).await?;
        let limits = match &which {
            Which::All => self.limits.load().with(read.limits),
            Which::Some(ids) => {
                let gone: Vec<Scope> = ids.iter().filter_map(|id| scope_of(id)).collect();
                let is_read = |scope: &Scope| read.limits.iter().any(|(of, _)| of == scope);
                let gone: Vec<Scope> = gone.into_iter().filter(|scope| !is_read(scope)).collect();
                self.limits.load().changed(read.limits, &gone)
            }
        };
        self.limits.store(Arc::new(limits));
        self.store.note_bad("scope_limits", &which, read.bad);
        Ok(())
    }

    pub(super) async fn set_limits(&self, scope: &Scope, limits: Limits) -> Result<(), StoreError> {
        self.store.set_scope_limits(scope, limits).await?;
        let detail = json!({
            "requests_per_minute": limits.requests_per_minute,
            "tokens_per_minute": limits.tokens_per_minute,
            "max_parallel": limits.max_parallel,
        });
        self.store.audit(&format!("{}_limits.set", scope.kind.as_str()), &scope.id, detail).await;
        self.announcer.announce(Change::Keys);
        let row = BTreeSet::from([format!("{}/{}", scope.kind.as_str(), scope.id)]);
        // The edit is made: where it cannot be read again now, the next refresh does.
        if let Err(error) = self.read_limits(Which::Some(row)).await {
            log::warn!("new limits are not in force yet: {error}");
        }
        Ok(())
    }

    fn publish(&self, key: VirtualKey) -> Result<Arc<VirtualKey>, KeyError> {
        let id = KeyRef::Id(key.id);
        let table = self.table.load().with(key);
        let published = table.get(&id).ok_or(KeyError::NotFound)?;
        self.table.store(Arc::new(table));
        self.announcer.announce(Change::Keys);
        Ok(published)
    }
}

/// What an edit of the provider or the credential goes out from; another edit goes out from nothing.
fn believed(current: &VirtualKey, change: &KeyChange) -> Option<KeyExpectation> {
    let moves = change.provider.as_ref().is_some_and(|provider| *provider != current.provider);
    if !moves && !matches!(change.real_api_key, Some(Some(_))) {
        return None;
    }
    let is_without_credential = moves && change.real_api_key.is_none();
    Some(KeyExpectation { provider: current.provider.clone(), is_without_credential })
}

/// A credential is only ever sent to the provider it was given for.
fn check_credential(current: &VirtualKey, change: &KeyChange) -> Result<(), KeyError> {
    let provider = change.provider.as_ref().unwrap_or(&current.provider);
    let has_credential = match &change.real_api_key {
        Some(credential) => credential.is_some(),
        None => current.real_api_key.is_some(),
    };
    if has_credential && provider.is_none() {
        return Err(KeyError::CredentialWithoutProvider);
    }
    if has_credential && change.real_api_key.is_none() && *provider != current.provider {
        return Err(KeyError::CredentialOfAnotherProvider);
    }
    Ok(())
}
