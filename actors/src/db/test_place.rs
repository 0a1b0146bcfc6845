//! An empty database for one test, of either kind.

use super::Store;
use super::test_dir::TestDir;
use crate::test_postgres::TestPostgres;

/// The database; dropping it removes the file.
pub(crate) struct Place {
    /// Its address.
    pub(crate) url: String,
    pub(crate) _dir: Option<TestDir>,
}

impl Place {
    /// A file in a folder of its own.
    pub(crate) fn sqlite() -> Self {
        let dir = TestDir::new();
        Self { url: dir.url(), _dir: Some(dir) }
    }

    /// A database on the server that all tests share.
    pub(crate) fn postgres() -> Self {
        Self { url: TestPostgres::shared().database(), _dir: None }
    }

    /// Opens the database.
    pub(crate) async fn store(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }
}

/// Makes two tests of one: `name::sqlite` and `name::postgres`.
macro_rules! on_both_stores {
    ($($(#[$meta:meta])* async fn $name:ident($place:ident) $body:block)*) => {
        $(
            $(#[$meta])*
            mod $name {
                use super::*;

                async fn test($place: Place) $body

                #[actix_rt::test]
                async fn sqlite() {
                    test(Place::sqlite()).await;
                }

                #[actix_rt::test]
                async fn postgres() {
                    test(Place::postgres()).await;
                }
            }
        )*
    };
}

pub(crate) use on_both_stores;
