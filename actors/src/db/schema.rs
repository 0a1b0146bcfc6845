//! The tables as diesel sees them in both databases; `migrations/` is what makes them.

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::backend::types::sql::{Moment, Nanos};

    virtual_keys (id) {
        id -> Text,
        virtual_key -> Text,
        hint -> Text,
        name -> Text,
        provider -> Nullable<Text>,
        real_api_key -> Nullable<Binary>,
        rate_limit -> Nullable<BigInt>,
        budget_limit_usd -> Nullable<Nanos>,
        budget_period -> Text,
        user_id -> Nullable<Text>,
        team_id -> Nullable<Text>,
        allowed_models -> Nullable<Text>,
        allowed_providers -> Nullable<Text>,
        config -> Nullable<Text>,
        expires_at -> Nullable<Moment>,
        is_active -> Bool,
        created_at -> Moment,
        updated_at -> Moment,
        changed_at -> Moment,
        tokens_per_minute -> Nullable<BigInt>,
        max_parallel -> Nullable<BigInt>,
        former_key -> Nullable<Text>,
        former_until -> Nullable<Moment>,
    }
}

diesel::table! {
    settings (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::backend::types::sql::{Moment, Nanos};

    user_budgets (user_id) {
        user_id -> Text,
        monthly_limit_usd -> Nanos,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::backend::types::sql::{Moment, Nanos};

    team_budgets (team_id) {
        team_id -> Text,
        monthly_limit_usd -> Nanos,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::backend::types::sql::Moment;

    scope_limits (scope, scope_id) {
        scope -> Text,
        scope_id -> Text,
        requests_per_minute -> Nullable<BigInt>,
        tokens_per_minute -> Nullable<BigInt>,
        max_parallel -> Nullable<BigInt>,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::backend::types::sql::Picos;

    budget_spend (scope, scope_id, period) {
        scope -> Text,
        scope_id -> Text,
        period -> Text,
        spent -> Picos,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::backend::types::sql::{Moment, Picos};

    budget_leases (scope, scope_id, period, replica) {
        scope -> Text,
        scope_id -> Text,
        period -> Text,
        replica -> Text,
        granted -> Picos,
        expires_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::backend::types::sql::{Id, Moment, Picos};

    llm_usage_log (id) {
        id -> Id,
        timestamp -> Moment,
        trace_id -> Text,
        request_id -> Text,
        virtual_key_id -> Text,
        user_id -> Nullable<Text>,
        team_id -> Nullable<Text>,
        provider -> Text,
        model -> Text,
        endpoint -> Text,
        status -> Text,
        attempt -> Integer,
        prompt_tokens -> BigInt,
        completion_tokens -> BigInt,
        cached_tokens -> BigInt,
        cache_write_tokens -> BigInt,
        reasoning_tokens -> BigInt,
        cost -> Nullable<Picos>,
        estimated -> Bool,
        stream -> Bool,
        duration_ms -> BigInt,
        time_to_first_token_ms -> Nullable<BigInt>,
        replica -> Text,
        baseline_cost -> Nullable<Picos>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::backend::types::sql::{Day, Moment, Nanos};

    pricing_config (provider, model, service_tier, effective_from) {
        provider -> Text,
        model -> Text,
        service_tier -> Text,
        effective_from -> Day,
        input -> Nanos,
        output -> Nanos,
        cached_input -> Nullable<Nanos>,
        cache_write -> Nullable<Nanos>,
        cache_write_1h -> Nullable<Nanos>,
        reasoning -> Nullable<Nanos>,
        audio_input -> Nullable<Nanos>,
        audio_output -> Nullable<Nanos>,
        image_input -> Nullable<Nanos>,
        above -> Text,
        max_output_tokens -> Nullable<BigInt>,
        source -> Text,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::backend::types::sql::{Id, Moment};

    audit_log (id) {
        id -> Id,
        timestamp -> Moment,
        actor -> Text,
        action -> Text,
        subject -> Text,
        detail -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::backend::types::sql::{Id, Moment};

    alert_outbox (id) {
        id -> Id,
        event -> Text,
        attempts -> Integer,
        due_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::backend::types::sql::Moment;

    stored_responses (id) {
        id -> Text,
        tenant -> Text,
        virtual_key_id -> Text,
        model -> Text,
        created_at -> Moment,
        expires_at -> Moment,
        bytes -> BigInt,
        sealed -> Binary,
    }
}
