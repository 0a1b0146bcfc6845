//! The gateway's actors, and the pure parts that they are thin shells around.
//!
//! Nothing here knows an HTTP server: the root package translates between HTTP and the messages of this crate.
//! Only `providers::upstream` reads HTTP, only `db` talks diesel, only `embed::embedder` and `embed::built_in` talk
//! fastembed, and only the owners of something in Redis talk redis: clippy and a test hold this.
//!
//! # Actors
//!
//! Each shared state has one owner. Others send it a message, or read its published snapshots.
//!
//! | Sender | Message | Owner | Reply | Thread |
//! |---|---|---|---|---|
//! | HTTP worker | `RouteRequest` | `RouterActor` | A receiver of the response | Worker |
//! | HTTP worker | `PassThroughRequest` | `RouterActor` | A receiver of the response | Worker |
//! | Reservation | `Fund` | `BudgetLedger` | Done, or refused by the store | Control |
//! | Admin API | `SetLimit`, `SetPrice` | `BudgetLedger` | Done | Control |
//! | Admin API | `ListBudgets` | `BudgetLedger` | Figures | Control |
//! | Admin API | `NoteAudit` | `StoreActor` | Done | Control |
//! | Admin API | `ReportUsage`, `ReportSavings`, `ListAudit` | `StoreActor` | Sums or entries | Control |
//! | Shutdown | `Close` | `BudgetLedger` | Done, or the store's error | Control |
//! | Admin API | `CreateKey`, `ReissueKey` | `KeyRegistry` | Key with its text | Control |
//! | Admin API | `ListKeys`, `GetKey`, `UpdateKey`, `RevokeKey`, `RotateProviderKey` | `KeyRegistry` | Keys | Control |
//! | Admin API | `SetLimits` | `KeyRegistry` | Done | Control |
//! | First start | `GetSetting`, `SetSetting` | `StoreActor` | Value, or done | Control |
//! | Fleet listener | `Refresh` | `KeyRegistry`, `BudgetLedger` | None | Control |
//! | Rate limiter | `Fetch` | `RedisLimiter` | Whether Redis answered | Control |
//! | Cache lookup | `GetAnswer` | `CacheActor` | Stored response | Control |
//! | Cache lookup | `PutAnswer`, `RemoveAnswer` | `CacheActor` | None | Control |
//! | Admin API | `Invalidate` | `CacheActor` | Numbers, or Redis is away | Control |
//! | Fleet listener | `InvalidateLocal`, `DropLocalCopies` | `CacheActor` | None | Control |
//! | Stored responses | `PutResponse`, `NoteBadResponse` | `ResponseStore` | None | Control |
//! | Stored responses | `GetResponse`, `DeleteResponse` | `ResponseStore` | Sealed response, or whether it was there | Control |
//! | Shutdown | `FlushResponses` | `ResponseStore` | Done | Control |
//! | Attempt | `NoteTransition` | `ProviderActor` | None | Control |
//! | Admin API | `ReportProvider` | `ProviderActor` | State of its breakers | Control |
//! | `GET /metrics` | `Scrape` | `MetricsActor` | Text | Control |
//! | Semantic lookup | `Embed` | `EmbedWorker` | Vector | Embed pool |
//! | Guardrails | `AskEngine` | `EngineActor` | Verdicts | Control |
//! | Guardrails of a long request | `GuardText` | `GuardWorker` | What came of the work | Guard pool |
//! | Settlement | `Count` | `TokenCounter` | Count, or a call back | Token pools |
//!
//! # Rooms
//!
//! Each module is a room: it imports from the layers before its own, and from no other. A test holds this order.
//!
//! 1. `clock`, `content_coding`, `fleet`, `metrics`, `pattern`, `runtime`, `scope`, `secret`
//! 2. `failure`, `limits`, `money`
//! 3. `providers`, `usage`
//! 4. `guardrails`
//! 5. `routing`
//! 6. `db`, `embed`
//! 7. `keys`
//! 8. `budgets`, `cache`, `responses`
//! 9. `request`
//! 10. `system`

pub mod budgets;
pub mod cache;
pub mod clock;
pub mod content_coding;
pub mod db;
pub mod embed;
pub mod failure;
pub mod fleet;
pub mod guardrails;
pub mod keys;
pub mod limits;
pub mod metrics;
pub mod money;
mod pattern;
pub mod providers;
pub mod request;
pub mod responses;
pub mod routing;
pub mod runtime;
pub mod scope;
pub mod secret;
pub mod system;
pub mod usage;

#[cfg(test)]
mod rooms_test;
