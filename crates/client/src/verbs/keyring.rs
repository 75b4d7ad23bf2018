//! Where tokens and links are: on a server, or in the files of one that does not run.

use async_trait::async_trait;
use gaveta_core::Result;
pub use gaveta_wire::keys::{NewShareBody, NewTokenBody, ShareBody, TokenBody};

use crate::remote::Remote;

/// Makes, lists and ends tokens and links. The errors are those of whoever has them.
#[async_trait]
pub trait Keyring: Send + Sync {
    /// Makes a token; its secret is told once.
    async fn make_token(&self, new: &NewTokenBody) -> Result<TokenBody>;
    /// The tokens that may be seen.
    async fn tokens(&self) -> Result<Vec<TokenBody>>;
    /// Revokes the token of this id.
    async fn revoke_token(&self, id: &str) -> Result<()>;
    /// Makes a share; its link is told once.
    async fn make_share(&self, new: &NewShareBody) -> Result<ShareBody>;
    /// The shares that may be seen.
    async fn shares(&self) -> Result<Vec<ShareBody>>;
    /// Ends the share of this id.
    async fn end_share(&self, id: &str) -> Result<()>;
    /// What stands before the path of a link; none where the server's address is not known.
    fn origin(&self) -> Option<String>;
}

#[async_trait]
impl Keyring for Remote {
    async fn make_token(&self, new: &NewTokenBody) -> Result<TokenBody> {
        Self::make_token(self, new).await
    }

    async fn tokens(&self) -> Result<Vec<TokenBody>> {
        Self::tokens(self).await
    }

    async fn revoke_token(&self, id: &str) -> Result<()> {
        Self::revoke_token(self, id).await
    }

    async fn make_share(&self, new: &NewShareBody) -> Result<ShareBody> {
        Self::make_share(self, new).await
    }

    async fn shares(&self) -> Result<Vec<ShareBody>> {
        Self::shares(self).await
    }

    async fn end_share(&self, id: &str) -> Result<()> {
        Self::end_share(self, id).await
    }

    fn origin(&self) -> Option<String> {
        let scheme = match self.is_encrypted() {
            true => "https",
            false => "http",
        };
        Some(format!("{scheme}://{}", self.address()))
    }
}
