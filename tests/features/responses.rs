//! `/v1/responses` as OpenAI's official client uses it.

use crate::harness::upstreams::Upstreams;
use crate::python::run;

/// J1, J14: whole and streamed, before every kind of upstream: text, tools and their results, reasoning, images, refusals,
/// limits, and the exception of the client for each failure.
#[tokio::test]
async fn the_openai_package_drives_every_kind_of_upstream() {
    let upstreams = Upstreams::start().await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    run("responses_client.py", &gateway, &[("KEY", &key)]).await;
}
