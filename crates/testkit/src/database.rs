//! An empty database for one test, of either kind.

use crate::postgres::TestPostgres;
use crate::temp_dir::TestDir;

/// The database; dropping it removes the file.
pub struct Place {
    /// Its address.
    pub url: String,
    _dir: Option<TestDir>,
}

impl Place {
    /// A file in a folder of its own.
    pub fn sqlite() -> Self {
        let dir = TestDir::new();
        Self { url: dir.url(), _dir: Some(dir) }
    }

    /// A database on the server that all tests share.
    pub fn postgres() -> Self {
        Self { url: TestPostgres::shared().database(), _dir: None }
    }

    /// A database that is there already, and stays.
    pub fn at(url: String) -> Self {
        Self { url, _dir: None }
    }
}

/// Makes two tests of one: `name::sqlite` and `name::postgres`.
#[macro_export]
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
