//! Prices, in both databases.

use gateway_testkit::database::Place;
use gateway_testkit::on_both_stores;
use gateway_wire::ServiceTier;

use super::OpenStore;
use crate::money::prices::{Above, Price, PriceTable};

fn price(model: &str, input: &str) -> Price {
    Price {
        provider: "openai".to_owned(),
        model: model.to_owned(),
        input: input.parse().unwrap(),
        output: "0.60".parse().unwrap(),
        source: "https://example.com, 2026-11-25".to_owned(),
        ..Price::default()
    }
}

fn full() -> Price {
    let some = |text: &str| Some(text.parse().unwrap());
    Price {
        service_tier: ServiceTier::Flex,
        effective_from: Some("2026-11-25".parse().unwrap()),
        cached_input: some("0.000001"),
        cache_write: some("1.25"),
        cache_write_1h: some("2"),
        reasoning: some("3"),
        audio_input: some("4"),
        audio_output: some("5"),
        image_input: some("0"),
        above: vec![Above { tokens: 272_000, input: "20".parse().unwrap(), ..Above::default() }],
        max_output_tokens: Some(128_000),
        ..price("gpt-*", "10")
    }
}

fn sorted(mut prices: Vec<Price>) -> Vec<Price> {
    prices.sort_by(|one, other| one.model.cmp(&other.model));
    prices
}

on_both_stores! {
    async fn prices_come_back_as_they_were(place) {
        let store = place.store().await;
        store.set_price(&full()).await.unwrap();
        store.set_price(&price("gpt-4o-mini", "0.15")).await.unwrap();
        assert_eq!(sorted(store.list_prices().await.unwrap()), [full(), price("gpt-4o-mini", "0.15")]);

        let plainer = Price { cached_input: None, above: Vec::new(), max_output_tokens: None, ..full() };
        store.set_price(&plainer).await.unwrap();
        assert_eq!(sorted(store.list_prices().await.unwrap()), [plainer, price("gpt-4o-mini", "0.15")]);
        assert!(store.delete_price("openai", "gpt-*", ServiceTier::Flex, full().effective_from).await.unwrap());
        assert!(!store.delete_price("openai", "gpt-*", ServiceTier::Flex, None).await.unwrap());
        assert_eq!(store.list_prices().await.unwrap(), [price("gpt-4o-mini", "0.15")]);
    }

    /// The built-in prices are there after the first start, and an operator's price stays after later ones.
    async fn seeding_adds_what_is_missing(place) {
        let store = place.store().await;
        let built_in = PriceTable::built_in().unwrap();
        let built_in = built_in.rows();
        let mut own = built_in[0].clone();
        own.input = "99".parse().unwrap();
        store.set_price(&own).await.unwrap();
        for _ in 0..2 {
            store.seed_prices(built_in).await.unwrap();
            let listed = store.list_prices().await.unwrap();
            assert_eq!(listed.len(), built_in.len());
            assert!(listed.contains(&own));
        }
    }
}
