//! What every page of ours is made of, whichever door shows it: the frame, the icons, the
//! language of whoever asks, the policy that the browser keeps.

pub(crate) mod assets;
mod frame;
mod icon;
mod notice;
mod press;
mod rows;
mod wants;

use gaveta_core::{AccountKind, Action, Path};
use gaveta_text::{Lang, Text};
use gaveta_wire::url;
use http::header::{self, HeaderMap, HeaderValue};
use maud::{Markup, html};

use super::base::BasePath;
use crate::drawer::View;

pub(crate) use frame::{Frame, HOLE, page};
pub(crate) use icon::{entry_icon, icon};
pub(crate) use notice::{advice, notice};
pub(crate) use press::{Press, accepts as accepts_gzip};
pub(crate) use rows::{row, time};
pub(crate) use wants::{LANGUAGE_COOKIE, Wants, language};

/// What a page of ours may do: load our own assets and show files of the drawer; nothing inline,
/// nothing from elsewhere. Scripts and styles are ours alone although files share our origin: the
/// files door gives no file as one (see `headers::loads_code`).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; frame-src 'self'; \
    manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types gaveta";

/// A style sheet that only some pages load.
pub(crate) fn sheet(base: &BasePath, name: &str) -> Markup {
    html! { link rel="stylesheet" href=(base.link(&assets::url(name))); }
}

/// Sets what a page of ours carries.
pub(crate) fn own_page(headers: &mut HeaderMap) {
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::VARY,
        HeaderValue::from_static("Accept, Accept-Language, Accept-Encoding, Cookie"),
    );
}

/// Who looks at a page.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    /// The account's name; none for a visitor.
    pub(crate) name: Option<String>,
    pub(crate) create: bool,
    pub(crate) replace: bool,
    pub(crate) delete: bool,
    pub(crate) manage: bool,
    /// May make links that let others in here.
    pub(crate) share: bool,
}

impl Who {
    /// Who looks, and what he may do in this folder.
    pub(crate) fn of(view: &View, folder: &Path) -> Self {
        let account = view.account();
        let visitor = account.kind() == AccountKind::Visitor;
        Self {
            name: (!visitor).then(|| account.name().to_owned()),
            create: view.may(Action::Create, folder),
            replace: view.may(Action::Replace, folder),
            delete: view.may(Action::Delete, folder),
            manage: view.may(Action::Manage, folder),
            share: view.by_himself().is_ok() && !view.ways_in(folder).is_empty(),
        }
    }
}

/// The texts of a language.
pub(crate) fn texts(lang: Lang) -> &'static Text {
    Text::of(lang)
}

/// A name as a page shows it: what could deceive about its direction, or shows nothing, is
/// written out.
pub(crate) fn shown(name: &str) -> std::borrow::Cow<'_, str> {
    gaveta_text::escape(name)
}

/// The path of a folder's own page; [`BasePath::link`](super::base::BasePath::link) makes an
/// address of it.
pub(crate) fn folder_url(folder: &Path) -> String {
    url::encode(folder, true)
}
