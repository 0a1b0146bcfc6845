//! The least that a gateway on this framework can cost: a bare actix-web handler that passes bodies on by the gateway's own
//! client, and reads and counts nothing.

use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::StreamExt;
use gateway_actors::providers::settings::ProviderSettings;
use gateway_actors::providers::upstream::{Outbound, ProxyRules, Upstream};
use gateway_actors::secret::Secret;
use gateway_wire::VendorRequest;

/// Serves with one worker until the process is killed.
pub async fn serve(port: u16, upstream: u16) {
    let settings = format!("dialect = \"openai\"\nbase_url = \"http://127.0.0.1:{upstream}/v1\"");
    let settings: ProviderSettings = toml::from_str(&settings).unwrap();
    let outbound = Outbound::new(ProxyRules::default()).unwrap();
    let server = HttpServer::new(move || {
        let upstream = Rc::new(Upstream::new(&settings, &outbound));
        App::new().app_data(web::Data::new(upstream)).route("/v1/chat/completions", web::post().to(pass))
    });
    server.workers(1).bind(("127.0.0.1", port)).unwrap().run().await.unwrap();
}

async fn pass(upstream: web::Data<Rc<Upstream>>, body: web::Bytes) -> HttpResponse {
    let path = "/chat/completions".to_owned();
    let request = VendorRequest { path, headers: Vec::new(), body, dropped_params: Vec::new() };
    let mut answer = upstream.send(&request, Some(&Secret::new("sk-bench".to_owned())), &[]).await.unwrap();
    let mut response = HttpResponse::build(StatusCode::from_u16(answer.status).unwrap());
    response.content_type(answer.header("content-type").unwrap_or_default());
    if answer.header("content-length").is_none() {
        return response.streaming(answer.body.map(|piece| piece.map_err(|_| std::io::Error::other("broken"))));
    }
    let mut whole = web::BytesMut::new();
    while let Some(piece) = answer.body.next().await {
        whole.extend_from_slice(&piece.unwrap());
    }
    response.body(whole)
}
