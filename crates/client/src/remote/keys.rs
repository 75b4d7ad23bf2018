//! Tokens, shares and the audit log of a server, and what a share's link tells.

use bytes::Bytes;
use gaveta_core::{Content, Error, ErrorKind, Result};
use gaveta_wire::audit::AuditFilter;
use gaveta_wire::keys::{NewShareBody, NewTokenBody, ShareBody, SharedBody, TokenBody};
use gaveta_wire::route;
use gaveta_wire::session::Secret;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::body::Out;
use super::line::Lane;
use super::{Remote, fault};

impl Remote {
    /// Makes a token.
    ///
    /// # Errors
    /// What the server says.
    pub async fn make_token(&self, new: &NewTokenBody) -> Result<TokenBody> {
        self.json(Method::POST, route::TOKENS, Some(new)).await
    }

    /// The tokens that this account may see.
    ///
    /// # Errors
    /// As [`Remote::make_token`].
    pub async fn tokens(&self) -> Result<Vec<TokenBody>> {
        self.json(Method::GET, route::TOKENS, None::<&()>).await
    }

    /// Revokes the token of this id.
    ///
    /// # Errors
    /// As [`Remote::make_token`].
    pub async fn revoke_token(&self, id: &str) -> Result<()> {
        self.end(route::TOKENS, id).await
    }

    /// Makes a share.
    ///
    /// # Errors
    /// As [`Remote::make_token`].
    pub async fn make_share(&self, new: &NewShareBody) -> Result<ShareBody> {
        let mut made: ShareBody = self.json(Method::POST, route::SHARES, Some(new)).await?;
        // A server that does not know of its prefix tells a link without it.
        if let Some(link) = &mut made.link
            && link.starts_with(route::OWN)
        {
            link.insert_str(0, &self.address().base);
        }
        Ok(made)
    }

    /// The shares that this account may see.
    ///
    /// # Errors
    /// As [`Remote::make_token`].
    pub async fn shares(&self) -> Result<Vec<ShareBody>> {
        self.json(Method::GET, route::SHARES, None::<&()>).await
    }

    /// Ends the share of this id.
    ///
    /// # Errors
    /// As [`Remote::make_token`].
    pub async fn end_share(&self, id: &str) -> Result<()> {
        self.end(route::SHARES, id).await
    }

    /// What the link with this secret leads to.
    ///
    /// # Errors
    /// `NotFound` when it leads nowhere; as [`Remote::make_token`].
    pub async fn shared(&self, secret: &Secret) -> Result<SharedBody> {
        let target = format!(
            "{}{}",
            route::SHARED,
            gaveta_wire::url::encode_name(&secret.0)
        );
        self.json(Method::GET, &target, None::<&()>).await
    }

    /// The audit log in lines of JSON; with `follow` it goes on, with empty lines now and then.
    ///
    /// # Errors
    /// As [`Remote::make_token`].
    pub async fn audit(&self, filter: &AuditFilter, follow: bool) -> Result<Content> {
        let query = filter.to_query();
        let and = if query.is_empty() { "" } else { "&" };
        let target = format!("{}?follow={follow}{and}{query}", route::AUDIT);
        let request = self.line.request(Method::GET, &target, Out::empty())?;
        let response = self.line.get(request, Lane::Own).await?;
        Ok(self.line.pieces(response.into_body()))
    }

    async fn end(&self, route: &str, id: &str) -> Result<()> {
        let target = format!("{route}/{}", gaveta_wire::url::encode_name(id));
        let request = self.line.request(Method::DELETE, &target, Out::empty())?;
        self.line.get(request, Lane::Own).await.map(|_| ())
    }

    async fn json<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        target: &str,
        body: Option<&B>,
    ) -> Result<T> {
        let out = match body {
            Some(body) => {
                let text = serde_json::to_vec(body)
                    .map_err(|error| Error::new(ErrorKind::BadRequest).because(error))?;
                Out::Whole(Bytes::from(text))
            }
            None => Out::empty(),
        };
        let mut request = self.line.request(method, target, out)?;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(ACCEPT, json.clone());
        request.headers_mut().insert(CONTENT_TYPE, json);
        let response = self.line.get(request, Lane::Own).await?;
        let text = self.line.whole(response.into_body()).await?;
        serde_json::from_slice(&text).map_err(|error| fault::nonsense(error.to_string()))
    }
}
