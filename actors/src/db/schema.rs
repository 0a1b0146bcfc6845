//! The tables as diesel sees them; `migrations/` is what makes them.

diesel::table! {
    virtual_keys (id) {
        id -> Text,
        virtual_key -> Text,
        hint -> Text,
        name -> Text,
        provider -> Nullable<Text>,
        real_api_key -> Nullable<Binary>,
        rate_limit -> Nullable<BigInt>,
        budget_limit_usd -> Nullable<BigInt>,
        user_id -> Nullable<Text>,
        team_id -> Nullable<Text>,
        allowed_models -> Nullable<Text>,
        allowed_providers -> Nullable<Text>,
        config -> Nullable<Text>,
        expires_at -> Nullable<BigInt>,
        is_active -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    settings (name) {
        name -> Text,
        value -> Text,
    }
}
