//! Tokens and shares as they are asked for and told: from and to the bodies of the wire. Who may ask
//! for what was looked at before. What adds or removes blocks.

use std::time::{Duration, SystemTime};

use gaveta_core::{Actions, Error, ErrorKind, Kind, Path, Result};
use gaveta_wire::body::time_to_text;
use gaveta_wire::keys::{NewShareBody, NewTokenBody, ScopeBody, ShareBody, TokenBody, WayBody};
use gaveta_wire::{route, url};
use zeroize::Zeroizing;

use super::admission::Keys;
use super::shares::{Share, SharePlan, Way};
use super::tokens::{Token, TokenPlan};
use super::{Narrow, ends_in};

/// The longest a token or share may last: a hundred years, which every clock can add.
const LONGEST: u64 = 100 * 365 * 24 * 60 * 60;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Tokens,
    Shares,
}

/// Makes a token of this account; its secret is in the body.
///
/// # Errors
/// `NotFound` for an account that is not there; as `Tokens::add`.
pub(crate) fn add_token(keys: &Keys, new: NewTokenBody, of: String) -> Result<TokenBody> {
    let mark = keys
        .mark_of(&of)
        .ok_or_else(|| Error::new(ErrorKind::NotFound).about_text(of.clone()))?;
    let narrow = new.scopes.iter().map(scope).collect::<Result<Vec<_>>>()?;
    let plan = TokenPlan {
        name: new.name,
        account: of,
        mark,
        narrow,
        expires: ends(new.seconds)?,
    };
    let (token, secret) = keys.tokens.add(plan)?;
    let mut body = token_body(&token, None);
    body.secret = Some(secret.reveal().to_owned());
    Ok(body)
}

/// What a share of this account shall be, of what lies there and is of this kind; and its password,
/// whose hash is still to be put there. What can be refused is refused before that costs anything.
///
/// # Errors
/// `NotFolder`, `NotRegular`, `BadRequest`; `Busy` when there are too many.
pub(crate) fn plan_share(
    keys: &Keys,
    new: NewShareBody,
    of: &str,
    kind: Kind,
) -> Result<(SharePlan, Option<Zeroizing<String>>)> {
    let password = new.password.map(Zeroizing::new);
    let path = Path::parse(&new.path)?;
    let way = way(new.way);
    fits(way, kind, &path)?;
    keys.shares.has_room(of)?;
    let plan = SharePlan {
        path,
        way,
        maker: of.to_owned(),
        expires: ends(new.seconds)?,
        password: None,
        limit: new.limit,
    };
    Ok((plan, password))
}

/// Makes a share of what is of this kind; its link is in the body.
///
/// # Errors
/// As `Shares::add`.
pub(crate) fn add_share(keys: &Keys, plan: SharePlan, kind: Kind) -> Result<ShareBody> {
    let (share, secret) = keys.shares.add(plan)?;
    let name = match (kind, share.path.name()) {
        (Kind::Folder, _) | (_, None) => String::new(),
        (_, Some(name)) => url::encode_name(name),
    };
    let mut body = share_body(&share, 0);
    body.link = Some(format!("{}{}/{name}", route::SHARED, secret.reveal()));
    Ok(body)
}

/// Can what lies there, and is of this kind, be shared so?
///
/// # Errors
/// `NotFolder`, `NotRegular`.
pub(crate) fn fits(way: Way, kind: Kind, path: &Path) -> Result<()> {
    match (way, kind) {
        (Way::Drop, Kind::Folder) | (Way::Get, Kind::File | Kind::Folder) => Ok(()),
        (Way::Drop, _) => Err(Error::at(ErrorKind::NotFolder, path)),
        (Way::Get, _) => Err(Error::at(ErrorKind::NotRegular, path)),
    }
}

/// Revokes the one of this id, if it is this account's, or anybody's; gives what a share was of.
///
/// # Errors
/// `NotFound`, `Io`.
pub(crate) fn remove(keys: &Keys, what: What, id: &str, of: Option<&str>) -> Result<Option<Path>> {
    let is_mine = |name: &str| of.is_none_or(|of| of == name);
    let gone = match what {
        What::Tokens => keys
            .tokens
            .remove(|token| token.id == id && is_mine(&token.account))?
            .first()
            .map(|_| None),
        What::Shares => keys
            .shares
            .remove(|share| share.id == id && is_mine(&share.maker))?
            .first()
            .map(|share| Some(share.path.clone())),
    };
    let gone = gone.ok_or(ErrorKind::NotFound)?;
    keys.changed();
    Ok(gone)
}

/// The tokens of this account, or all of them.
pub(crate) fn tokens(keys: &Keys, of: Option<&str>) -> Vec<TokenBody> {
    let tokens = keys.tokens.list(of);
    let tokens = tokens.iter();
    tokens
        .map(|(token, used)| token_body(token, *used))
        .collect()
}

/// The shares of this account, or all of them.
pub(crate) fn shares(keys: &Keys, of: Option<&str>) -> Vec<ShareBody> {
    let shares = keys.shares.list(of);
    let shares = shares.iter();
    shares
        .map(|(share, used)| share_body(share, *used))
        .collect()
}

fn scope(body: &ScopeBody) -> Result<Narrow> {
    Ok(Narrow {
        path: Path::parse(body.path.trim_matches('/'))?,
        actions: Actions::parse(&body.actions)?,
    })
}

fn ends(seconds: Option<u64>) -> Result<Option<SystemTime>> {
    let Some(seconds) = seconds else {
        return Ok(None);
    };
    if seconds == 0 || seconds > LONGEST {
        return Err(Error::bad_request(
            "it lasts from one second to a hundred years",
        ));
    }
    Ok(ends_in(Duration::from_secs(seconds)))
}

fn token_body(token: &Token, used: Option<SystemTime>) -> TokenBody {
    TokenBody {
        id: token.id.clone(),
        name: token.name.clone(),
        account: token.account.clone(),
        scopes: token
            .narrow
            .iter()
            .map(|narrow| ScopeBody {
                path: narrow.path.as_str().to_owned(),
                actions: narrow.actions.to_string(),
            })
            .collect(),
        created: time_to_text(token.created),
        expires: token.expires.map(time_to_text),
        used: used.map(time_to_text),
        secret: None,
    }
}

fn share_body(share: &Share, used: u64) -> ShareBody {
    ShareBody {
        id: share.id.clone(),
        path: share.path.as_str().to_owned(),
        way: way_body(share.way),
        maker: share.maker.clone(),
        created: time_to_text(share.created),
        expires: share.expires.map(time_to_text),
        password: share.password.is_some(),
        limit: share.limit,
        used,
        link: None,
    }
}

/// What a share lets one do, as the wire has it.
pub(crate) fn way_body(way: Way) -> WayBody {
    match way {
        Way::Get => WayBody::Get,
        Way::Drop => WayBody::Drop,
    }
}

/// As [`way_body`], the other way.
pub(crate) fn way(body: WayBody) -> Way {
    match body {
        WayBody::Get => Way::Get,
        WayBody::Drop => Way::Drop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_bounded() {
        assert!(ends(None).unwrap().is_none() && ends(Some(LONGEST)).unwrap().is_some());
        assert!(ends(Some(0)).is_err() && ends(Some(u64::MAX)).is_err());
    }
}
