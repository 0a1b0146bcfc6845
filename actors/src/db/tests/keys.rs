//! Virtual keys and settings, in both databases.

use gateway_testkit::database::Place;
use gateway_testkit::on_both_stores;

use super::OpenStore;
use crate::db::{At, KeyReissue, KeyRow, KeyRowChange, Nanos, Store};

pub(super) fn row(id: &str) -> KeyRow {
    KeyRow {
        id: id.to_owned(),
        virtual_key: format!("hash of {id}"),
        hint: "vk-abc…wxyz".to_owned(),
        name: "Production Key".to_owned(),
        provider: Some("openai".to_owned()),
        real_api_key: Some(vec![1, 0, 255]),
        rate_limit: Some(i64::from(u32::MAX)),
        tokens_per_minute: Some(1),
        max_parallel: None,
        budget_limit_usd: Some(Nanos(i64::MAX)),
        budget_period: "week".to_owned(),
        user_id: None,
        team_id: Some("team".to_owned()),
        allowed_models: Some("[\"gpt-*\"]".to_owned()),
        allowed_providers: None,
        config: None,
        expires_at: Some(At(1)),
        is_active: true,
        created_at: At(2),
        updated_at: At(-3),
        former_key: None,
        former_until: None,
    }
}

on_both_stores! {
    async fn keys_and_settings_survive_a_restart_unchanged(place) {
        let store = place.store().await;
        store.insert_key(&row("a")).await.unwrap();
        store.set_setting("admin", "1").await.unwrap();
        store.set_setting("admin", "2").await.unwrap();
        drop(store);

        let store = place.store().await;
        assert_eq!(store.list_keys().await.unwrap(), [row("a")]);
        assert_eq!(store.setting("admin").await.unwrap().as_deref(), Some("2"));
        assert_eq!(store.setting("other").await.unwrap(), None);
    }

    /// G10: an edit writes its own columns only, so it cannot bring back what another edit took away.
    async fn g10_an_edit_leaves_the_other_columns_alone(place) {
        let (one, other) = (place.store().await, place.store().await);
        one.insert_key(&row("a")).await.unwrap();
        one.insert_key(&row("b")).await.unwrap();

        let revoke = KeyRowChange { is_active: Some(false), updated_at: At(4), ..KeyRowChange::default() };
        one.update_key("a", None, revoke).await.unwrap();
        let rename = KeyRowChange {
            name: Some("new".to_owned()),
            real_api_key: Some(None),
            updated_at: At(5),
            ..KeyRowChange::default()
        };
        let renamed = other.update_key("a", None, rename.clone()).await.unwrap();
        let expected = KeyRow {
            name: "new".to_owned(),
            real_api_key: None,
            is_active: false,
            updated_at: At(5),
            ..row("a")
        };
        assert_eq!(renamed, Some(expected.clone()));
        let mut rows = one.list_keys().await.unwrap();
        rows.sort_by(|one, other| one.id.cmp(&other.id));
        assert_eq!(rows, [expected, row("b")]);
        assert_eq!(one.update_key("c", None, rename).await.unwrap(), None);
    }

    /// H5: the text that a key has in the store becomes its former one; all else stays.
    async fn h5_a_reissued_key_keeps_its_former_hash(place) {
        let (one, other) = (place.store().await, place.store().await);
        one.insert_key(&row("a")).await.unwrap();
        one.insert_key(&row("b")).await.unwrap();
        let new = |text: &str, until| KeyReissue {
            virtual_key: text.to_owned(),
            hint: format!("hint of {text}"),
            former_until: At(until),
            updated_at: At(6),
        };
        one.reissue_key("a", new("second", 100)).await.unwrap();
        let reissued = other.reissue_key("a", new("third", 200)).await.unwrap();
        let expected = KeyRow {
            virtual_key: "third".to_owned(),
            hint: "hint of third".to_owned(),
            former_key: Some("second".to_owned()),
            former_until: Some(At(200)),
            updated_at: At(6),
            ..row("a")
        };
        assert_eq!(reissued, Some(expected.clone()));
        let mut rows = one.list_keys().await.unwrap();
        rows.sort_by(|one, other| one.id.cmp(&other.id));
        assert_eq!(rows, [expected, row("b")]);
        assert_eq!(one.reissue_key("c", new("fourth", 1)).await.unwrap(), None);
    }

    async fn a_second_key_with_the_same_hash_is_refused(place) {
        let store = place.store().await;
        store.insert_key(&row("a")).await.unwrap();
        let twin = KeyRow { id: "b".to_owned(), ..row("a") };
        let error = store.insert_key(&twin).await.unwrap_err().to_string();
        assert!(error.contains("virtual_keys"), "{error}");
        assert!(error.to_lowercase().contains("unique"), "{error}");
    }

    /// Several replicas start at once: one migrates, the others wait and find nothing to do.
    async fn processes_that_start_at_once_migrate_once(place) {
        let url = place.url.as_str();
        let results: Vec<_> = std::thread::scope(|scope| {
            let open = || actix_rt::System::new().block_on(async { Store::open(url).await.map(drop) });
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for result in results {
            result.unwrap();
        }
    }
}
