//! Monthly limits, in both databases.

use gateway_testkit::database::Place;
use gateway_testkit::on_both_stores;

use super::OpenStore;
use crate::money::amount::PicoUsd;

on_both_stores! {
    async fn limits_are_set_changed_and_taken_away(place) {
        let store = place.store().await;
        store.set_user_budget("ann", Some("500".parse().unwrap())).await.unwrap();
        store.set_user_budget("ann", Some("0.000000001".parse().unwrap())).await.unwrap();
        store.set_user_budget("bob", Some("9223372036.854775807".parse().unwrap())).await.unwrap();
        store.set_team_budget("ann", Some("0".parse().unwrap())).await.unwrap();
        let limits = store.monthly_limits().await.unwrap();
        assert_eq!(limits.users["ann"], PicoUsd::from_picos(1_000));
        assert_eq!(limits.users["bob"].to_string(), "9223372036.854775807");
        assert_eq!(limits.teams["ann"], PicoUsd::default());

        store.set_user_budget("ann", None).await.unwrap();
        store.set_team_budget("ann", None).await.unwrap();
        store.set_team_budget("nobody", None).await.unwrap();
        let limits = store.monthly_limits().await.unwrap();
        assert_eq!((limits.users.len(), limits.teams.len()), (1, 0));
    }
}
