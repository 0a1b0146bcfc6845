use std::rc::Rc;
use std::time::Duration;

use actix::Actor;
use gateway_testkit::database::Place;

use super::OpenStore;
use crate::db::actor::{GetSetting, SetSetting, StoreActor};
use crate::runtime::mailbox::Mailbox;
use crate::runtime::stats::ActorStats;

#[actix_rt::test]
async fn settings_are_kept() {
    let place = Place::sqlite();
    let stats = ActorStats::new("store", "test", 8);
    let actor = StoreActor::new(Rc::new(place.store().await), stats.clone());
    let mailbox = Mailbox::new(actor.start(), stats, Duration::from_secs(60));
    let get = || GetSetting("admin_token_sha256".to_owned());
    assert_eq!(mailbox.ask(get()).await.unwrap().unwrap(), None);
    let set = SetSetting { name: "admin_token_sha256".to_owned(), value: "ab".to_owned() };
    mailbox.ask(set).await.unwrap().unwrap();
    assert_eq!(mailbox.ask(get()).await.unwrap().unwrap().as_deref(), Some("ab"));
}
