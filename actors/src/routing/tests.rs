mod applying;
mod choosing;
mod dialects;
mod guarding;
mod reading;
mod truth_table;

use std::time::UNIX_EPOCH;

use bytes::Bytes;
use gateway_wire::json_object::JsonObject;
use serde_json::{Value, json};

use super::*;

/// A plan that must be valid.
fn plan(config: Value) -> Plan {
    parse_value(&config).unwrap_or_else(|errors| panic!("{config}: {errors:?}")).plan
}

/// The chain of a plan for a request with some metadata and body.
fn chain_for(plan: &Plan, metadata: Value, body: &str, mut random: impl FnMut() -> f64) -> Result<Chain, NoTarget> {
    let metadata: Map<String, Value> = serde_json::from_value(metadata).unwrap();
    let params = JsonObject::parse(Bytes::from(body.to_owned())).unwrap();
    let context = PlanContext {
        metadata: &metadata,
        params: &params,
        header: &|_| None,
        pathname: "/v1/chat/completions",
        now: UNIX_EPOCH,
    };
    plan.chain(&context, &mut random, &|_| false)
}

fn chain(config: Value) -> Chain {
    chain_for(&plan(config), json!({}), "{}", || 0.0).unwrap()
}

fn paths(chain: &Chain) -> Vec<&str> {
    chain.steps.iter().map(|step| step.target.path.as_str()).collect()
}
