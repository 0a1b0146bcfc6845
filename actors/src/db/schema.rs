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
        budget_period -> Text,
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

diesel::table! {
    user_budgets (user_id) {
        user_id -> Text,
        monthly_limit_usd -> BigInt,
    }
}

diesel::table! {
    team_budgets (team_id) {
        team_id -> Text,
        monthly_limit_usd -> BigInt,
    }
}

diesel::table! {
    budget_spend (scope, scope_id, period) {
        scope -> Text,
        scope_id -> Text,
        period -> Text,
        spent -> BigInt,
    }
}

diesel::table! {
    budget_leases (scope, scope_id, period, replica) {
        scope -> Text,
        scope_id -> Text,
        period -> Text,
        replica -> Text,
        granted -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    llm_usage_log (id) {
        id -> Text,
        timestamp -> BigInt,
        trace_id -> Text,
        request_id -> Text,
        virtual_key_id -> Text,
        user_id -> Nullable<Text>,
        team_id -> Nullable<Text>,
        provider -> Text,
        model -> Text,
        endpoint -> Text,
        status -> Text,
        attempt -> BigInt,
        prompt_tokens -> BigInt,
        completion_tokens -> BigInt,
        cached_tokens -> BigInt,
        cache_write_tokens -> BigInt,
        reasoning_tokens -> BigInt,
        cost -> Nullable<BigInt>,
        estimated -> Bool,
        stream -> Bool,
        duration_ms -> BigInt,
        time_to_first_token_ms -> Nullable<BigInt>,
        replica -> Text,
    }
}

diesel::table! {
    pricing_config (provider, model, service_tier, effective_from) {
        provider -> Text,
        model -> Text,
        service_tier -> Text,
        effective_from -> Text,
        price -> Text,
    }
}
