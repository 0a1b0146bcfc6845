//! The registry's work, without the actor: write the store first, then publish.

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use rand::TryCryptoRng;
use serde_json::json;
use uuid::Uuid;

use super::rows::{key_of, new_row, row_change};
use super::{CreatedKey, KeyError};
use crate::budget::scope::Scope;
use crate::changes::{Announcer, Change};
use crate::db::{At, KeyChanges, KeyReissue, Store, StoreError};
use crate::key_table::{KeyTable, SharedKeyTable};
use crate::limits::Limits;
use crate::limits::book::{LimitBook, SharedLimitBook};
use crate::sealing::MasterKey;
use crate::virtual_key::{KeyChange, KeyRef, KeyText, NewKey, VirtualKey};

/// The virtual keys and where they are kept. Edits must come one after the other: the registry sees to that.
pub(super) struct KeyBook {
    store: Rc<Store>,
    master_key: MasterKey,
    table: SharedKeyTable,
    limits: SharedLimitBook,
    /// Up to when changes of others were read.
    mark: Cell<At>,
    announcer: Announcer,
}

impl KeyBook {
    /// Publishes every key in the store.
    pub(super) async fn open(store: Rc<Store>, master_key: MasterKey, announcer: Announcer) -> Result<Self, KeyError> {
        let KeyChanges { rows, mark, .. } = store.keys_changed_since(At(0)).await?;
        let keys: Vec<_> = rows.into_iter().map(|row| key_of(row, &master_key)).collect::<Result<_, _>>()?;
        let table = Arc::new(ArcSwap::from_pointee(KeyTable::new(keys)));
        let limits = Arc::new(ArcSwap::from_pointee(LimitBook::default().with(store.scope_limits().await?)));
        Ok(Self { store, master_key, table, limits, mark: Cell::new(mark), announcer })
    }

    pub(super) fn table(&self) -> &SharedKeyTable {
        &self.table
    }

    pub(super) fn limits(&self) -> &SharedLimitBook {
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
        let change = row_change(change, current.id, now, &self.master_key)?;
        let row = self.store.update_key(&current.id.to_string(), change).await?.ok_or(KeyError::NotFound)?;
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
        let changes = self.store.keys_changed_since(self.mark.get()).await?;
        let mut table = KeyTable::clone(&self.table.load());
        let (mut changed, mut unreadable) = (Vec::new(), Vec::new());
        for row in changes.rows {
            let id = row.id.clone();
            match key_of(row, &self.master_key) {
                // The newest changes are seen again each time, since clocks and transactions overlap.
                Ok(key) if table.get(&KeyRef::Id(key.id)).is_some_and(|known| known.is_same_as(&key)) => {}
                Ok(key) => changed.push(key),
                // One bad row must not hide what else has changed; nobody knows what its key may do, so it does nothing.
                Err(error) => {
                    log::error!("key registry: {error}; the key does not work until it is repaired");
                    unreadable.extend(Uuid::parse_str(&id).ok());
                }
            }
        }
        let mut differs = !changed.is_empty();
        table = table.with_all(changed);
        if unreadable.iter().any(|id| table.get(&KeyRef::Id(*id)).is_some()) {
            table = table.only(|id| !unreadable.contains(id));
            differs = true;
        }
        if usize::try_from(changes.count) != Ok(table.len() + unreadable.len()) {
            // Rows were deleted by hand, or came a moment ago.
            let ids: HashSet<String> = self.store.key_ids().await?.into_iter().collect();
            let before = table.len();
            table = table.only(|id| ids.contains(&id.to_string()));
            differs |= table.len() != before;
        }
        if differs {
            self.table.store(Arc::new(table));
        }
        self.mark.set(changes.mark);
        self.refresh_limits().await.map_err(KeyError::from)
    }

    async fn refresh_limits(&self) -> Result<(), StoreError> {
        let limits = self.limits.load().with(self.store.scope_limits().await?);
        self.limits.store(Arc::new(limits));
        Ok(())
    }

    pub(super) async fn set_limits(&self, scope: &Scope, limits: Limits) -> Result<(), StoreError> {
        self.store.set_scope_limits(scope, limits).await?;
        let detail = json!({
            "requests_per_minute": limits.requests_per_minute,
            "tokens_per_minute": limits.tokens_per_minute,
            "max_parallel": limits.max_parallel,
        });
        self.store.audit(&format!("{}_limits.set", scope.kind.word()), &scope.id, detail).await;
        self.announcer.announce(Change::Keys);
        self.refresh_limits().await
    }

    pub(super) async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.store.setting(name).await
    }

    pub(super) async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.store.set_setting(name, value).await
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
