//! A flow that says who it is when it asks.

use wrun_sdk::http;
use wrun_sdk::prelude::*;

/// Asks a service that wants to know a secret.
#[flow]
mod secretly {
    use super::*;

    #[step]
    fn start(#[param] service: String) -> Result<()> {
        let token = std::env::var("TOKEN")?;
        http::get(format!("{service}/small"))
            .query("key", &token)
            .header("authorization", format!("Bearer {token}"))
            .send()?
            .success()?;
        Ok(())
    }
}
