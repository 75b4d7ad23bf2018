//! What a form about an account asks for.

use gaveta_core::{Account, Actions, Error, ErrorKind};
use gaveta_text::Text;
use http::StatusCode;
use zeroize::Zeroizing;

use crate::drawer::View;
use crate::drawer::accounts::book::granted_path;
use crate::drawer::accounts::{BadSetting, Change, Settings};
use crate::drawer::password::is_weak;
use crate::http::error;
use crate::http::html::shown;
use crate::http::query::Query;

/// What of a form makes no sense.
#[derive(Debug)]
pub(super) enum Wrong {
    Name(String),
    Password,
    Path(String),
    Setting(BadSetting),
    Nothing,
    /// It makes sense, but cannot be done now.
    Failed(Error),
}

impl Wrong {
    /// Of a password that cannot be hashed.
    fn password(error: Error) -> Self {
        match error.kind() {
            ErrorKind::BadRequest => Self::Password,
            _ => Self::Failed(error),
        }
    }

    /// As it is answered.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Failed(error) => error::status(error),
            Self::Name(_) | Self::Password | Self::Path(_) | Self::Setting(_) | Self::Nothing => {
                StatusCode::BAD_REQUEST
            }
        }
    }

    /// In the words of whoever reads it.
    pub(super) fn said(&self, text: &Text) -> String {
        let say = |key: &str, name: &'static str, word: &str| {
            text.say(key, &[(name, shown(word).into_owned().into())])
        };
        match self {
            Self::Name(name) => say("account-bad-name", "name", name),
            Self::Password => text.say("serve-password-unusable", &[]),
            Self::Path(path) => say("page-account-bad-path", "path", path),
            Self::Setting(BadSetting::Quota(word)) => say("account-bad-quota", "word", word),
            Self::Setting(BadSetting::Expires(word)) => say("account-bad-date", "word", word),
            Self::Nothing => text.kind(ErrorKind::BadRequest),
            Self::Failed(error) => text.kind(error.kind()),
        }
    }
}

/// The change that a form asks for, and whether its password is a weak one.
pub(super) async fn wanted(
    view: &View,
    given: &Query,
    name: &str,
) -> Result<(Change, bool), Wrong> {
    let password = async || {
        let password = given.get("password").unwrap_or_default();
        let weak = is_weak(password);
        let password = Zeroizing::new(password.to_owned());
        let hash = view.hashed(password).await.map_err(Wrong::password)?;
        Ok((hash, weak))
    };
    let grant = || {
        // What a page names is a path to the last blank, what a person types is not.
        let typed = || given.get("at").unwrap_or_default().trim();
        let at = given.get("exactly").unwrap_or_else(typed);
        let path = granted_path(at).ok_or_else(|| Wrong::Path(at.to_owned()))?;
        let what = given.get("what").unwrap_or_default();
        let what = Actions::parse(what).map_err(|_| Wrong::Nothing)?;
        Ok((path, what))
    };
    // What stands as it was shown stays as it is: the page shows a moment by its day.
    let setting = |key: &str, shown: &str| {
        let word = given.get(key).unwrap_or_default().trim();
        let changed = given.get(shown).is_none_or(|shown| shown != word);
        changed.then(|| (!word.is_empty()).then(|| word.to_owned()))
    };
    Ok(match given.get("do").unwrap_or_default() {
        "add" => {
            if Account::check_name(name).is_err() {
                return Err(Wrong::Name(name.to_owned()));
            }
            let grant = grant()?;
            let (hash, weak) = password().await?;
            let add = Change::Add {
                password: Some(hash),
                grants: vec![grant],
                settings: Settings::default(),
            };
            (add, weak)
        }
        "password" => {
            let (hash, weak) = password().await?;
            (Change::Password(hash), weak)
        }
        "grant" => {
            let (path, what) = grant()?;
            (Change::Grant(path, Some(what)), false)
        }
        "forget" => (Change::Grant(grant()?.0, None), false),
        "set" => {
            let settings = Settings {
                quota: setting("quota", "quota-was"),
                expires: setting("expires", "expires-was"),
                disabled: Some(given.get("disabled").is_some()),
            };
            settings.check().map_err(Wrong::Setting)?;
            (Change::Set(settings), false)
        }
        "remove" => (Change::Remove, false),
        _ => return Err(Wrong::Nothing),
    })
}
