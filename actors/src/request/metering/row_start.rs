//! The row of an attempt as far as it is known before the attempt ends.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use gateway_wire::Usage;
use uuid::{NoContext, Timestamp, Uuid};

use crate::budgets::ledger::Ledger;
use crate::keys::virtual_key::VirtualKey;
use crate::usage::row::UsageRow;

/// What a row tells before its attempt ends.
pub struct RowStart<'a> {
    /// The caller's trace id.
    pub trace_id: &'a str,
    /// The gateway's id of the request.
    pub request_id: &'a str,
    /// The virtual key.
    pub key: &'a VirtualKey,
    /// The provider.
    pub provider: &'a Arc<str>,
    /// The model that the provider is asked for.
    pub model: &'a str,
    /// The route.
    pub endpoint: &'static str,
    /// The number of the attempt.
    pub attempt: u32,
    /// Whether a stream is wanted.
    pub stream: bool,
    /// Whether the cost is added up.
    pub is_charged: bool,
    /// When the request began.
    pub now: DateTime<Utc>,
}

/// A row of an attempt that has not ended.
pub fn unfinished(ledger: &Ledger, known: RowStart<'_>) -> Box<UsageRow> {
    let mut row = ledger.rows.take();
    begin(&mut row, ledger, &known);
    row
}

/// Sets every field of a row, which has held another.
fn begin(row: &mut UsageRow, ledger: &Ledger, known: &RowStart<'_>) {
    let UsageRow {
        id,
        timestamp,
        trace_id,
        request_id,
        virtual_key_id,
        user_id,
        team_id,
        provider,
        model,
        endpoint,
        status,
        attempt,
        usage,
        cost,
        baseline_cost,
        estimated,
        stream,
        duration_ms,
        time_to_first_token_ms,
        replica,
        charges,
    } = row;
    let key = known.key;
    let (seconds, nanos) = (known.now.timestamp().unsigned_abs(), known.now.timestamp_subsec_nanos());
    *id = Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, nanos));
    *timestamp = known.now.timestamp_micros();
    known.trace_id.clone_into(trace_id);
    known.request_id.clone_into(request_id);
    virtual_key_id.clone_from(&key.id_text);
    user_id.clone_from(&key.user_id);
    team_id.clone_from(&key.team_id);
    provider.clone_from(known.provider);
    known.model.clone_into(model);
    (*endpoint, *status, *attempt) = (known.endpoint.into(), "".into(), known.attempt);
    (*usage, *cost, *baseline_cost, *estimated) = (Usage::default(), None, None, false);
    (*stream, *duration_ms, *time_to_first_token_ms) = (known.stream, 0, None);
    replica.clone_from(&ledger.replica);
    charges.clear();
    if known.is_charged {
        ledger.accounts.charge(key, known.now, charges);
    }
}

#[cfg(test)]
mod tests {
    use gateway_testkit::temp_dir::TestDir;

    use super::*;
    use crate::keys::virtual_key::tests::key;
    use crate::metrics::Metrics;
    use crate::money::prices::PriceTable;
    use crate::scope::{Scope, ScopeKind};
    use crate::usage::charge::Charge;
    use crate::usage::row::tests::row;

    /// G7: a row that is filled again tells nothing of whom it stood for before.
    #[test]
    fn g7_a_row_that_is_filled_again_is_as_a_new_one() {
        let dir = TestDir::new();
        let metrics = Arc::new(Metrics::new().unwrap());
        let prices = PriceTable::new(Vec::new());
        let zone = chrono_tz::Tz::UTC;
        let ledger = Ledger::open(dir.path(), "a".to_owned(), zone, prices, metrics).unwrap();
        let key = VirtualKey { user_id: None, team_id: None, ..key() };
        let (now, provider) = (Utc::now(), Arc::from("openai"));
        let known = |is_charged| RowStart {
            trace_id: "t",
            request_id: "r",
            key: &key,
            provider: &provider,
            model: "m",
            endpoint: "/v1/embeddings",
            attempt: 2,
            stream: true,
            is_charged,
            now,
        };
        for is_charged in [true, false] {
            let new = unfinished(&ledger, known(is_charged));
            let charge = Charge { scope: Scope::new(ScopeKind::Team, "core"), period: "2026-11".into() };
            let used = UsageRow {
                team_id: Some("core".to_owned()),
                cost: Some(1),
                baseline_cost: Some(2),
                estimated: true,
                time_to_first_token_ms: Some(3),
                charges: vec![charge],
                ..row(7)
            };
            ledger.rows.put_back(vec![Box::new(used)]);
            let again = unfinished(&ledger, known(is_charged));
            assert_ne!(again.id, new.id);
            assert_eq!(again.charges.len(), usize::from(is_charged));
            assert_eq!(UsageRow { id: new.id, ..*again }, *new);
        }
    }
}
