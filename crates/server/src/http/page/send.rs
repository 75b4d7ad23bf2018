//! Forms that change something: files sent by a page without scripts, and deeds.

use gaveta_core::{Check, Error, ErrorKind, Path, Replace, Result, Seal, Store, WritePlan};
use http::Response;
use maud::html;

use super::deed::{Outcome, carry_out};
use super::{Asked, see_other};
use crate::http::body::Body;
use crate::http::content::Lent;
use crate::http::error::{self, Refusal};
use crate::http::form::{self, Contents, Form, Part, Parts};
use crate::http::html::{folder_url, icon, language, notice, shown, texts};

/// The most files of one form.
const FILES: usize = 10_000;
/// The most names that are tried for a file whose name is taken.
const NAMES: u32 = 100;

/// What to do where a name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Keep,
    Replace,
    Skip,
}

/// Does what a form says and leads back to the folder; what failed is told instead, entry by entry.
pub(super) async fn form(asked: &Asked<'_>, body: Lent) -> Result<Response<Body>, Refusal> {
    let folder = asked.at()?;
    form::may_send(&asked.head.headers, asked.view, &folder)?;
    let outcomes = match form::read(&asked.head.headers, body).await? {
        Form::Fields(given) => carry_out(&given, &folder, asked.view).await?,
        Form::Parts(parts) => receive(asked, &folder, parts).await?,
    };
    match outcomes
        .iter()
        .find_map(|outcome| outcome.result.as_ref().err())
    {
        None => Ok(see_other(&folder_url(&folder))),
        // A browser asks for the password and sends the form again.
        Some(error) if error.kind() == ErrorKind::SignInNeeded && outcomes.len() == 1 => {
            Err(outcomes
                .into_iter()
                .find_map(|outcome| outcome.result.err())
                .unwrap_or_else(|| Error::new(ErrorKind::SignInNeeded))
                .into())
        }
        Some(first) => {
            let status = error::status(first);
            let mut response = told(asked, &folder, &outcomes);
            *response.status_mut() = status;
            Ok(response)
        }
    }
}

/// The page of what came of each.
fn told(asked: &Asked<'_>, folder: &Path, outcomes: &[Outcome]) -> Response<Body> {
    let text = texts(language(&asked.head.headers));
    let done = outcomes.iter().filter(|outcome| outcome.result.is_ok());
    let title = text.say("page-not-all", &[]);
    let main = html! {
        section.card {
            h1 { (title) }
            @for outcome in outcomes {
                @if let Err(error) = &outcome.result {
                    h2 { bdi { (shown(&outcome.name)) } }
                    (notice(text, error))
                }
            }
            ul.names {
                @for outcome in done {
                    li { (icon("done")) " " bdi { (shown(&outcome.name)) } }
                }
            }
            p.links { a.button href=(asked.link(&folder_url(folder))) { (text.say("page-back", &[])) } }
        }
    };
    asked.page(&title, folder, "", &main)
}

/// Takes the files of a form in, one after another; one that fails does not hold up the others.
async fn receive(asked: &Asked<'_>, folder: &Path, mut parts: Parts) -> Result<Vec<Outcome>> {
    let mut taken = Taken::Keep;
    let mut outcomes = Vec::new();
    while let Some(part) = parts.next().await? {
        match part {
            Part::Field(name, value) if name == "taken" => {
                taken = match value.as_str() {
                    "replace" => Taken::Replace,
                    "skip" => Taken::Skip,
                    _ => Taken::Keep,
                };
            }
            Part::Field(..) => {}
            Part::File(name, contents) => {
                if outcomes.len() >= FILES {
                    return Err(Error::new(ErrorKind::TooLarge));
                }
                let result = match file(asked, folder, &name, contents, taken).await {
                    // Whoever sent half of it is gone: nothing more comes.
                    Err(error)
                        if matches!(
                            error.kind(),
                            ErrorKind::Disconnected
                                | ErrorKind::TimedOut
                                | ErrorKind::LengthMismatch
                                | ErrorKind::SignInNeeded
                                | ErrorKind::Denied
                        ) =>
                    {
                        return Err(error);
                    }
                    result => result,
                };
                outcomes.push(Outcome { name, result });
            }
        }
    }
    match outcomes.is_empty() {
        true => Err(Error::bad_request("no file was chosen")),
        false => Ok(outcomes),
    }
}

async fn file(
    asked: &Asked<'_>,
    folder: &Path,
    name: &str,
    contents: Box<Contents>,
    taken: Taken,
) -> Result<()> {
    // A browser that sends a folder names its files with their way in it.
    let target = folder.join_path(&Path::parse(name)?)?;
    let Some(upload) = begin(asked, target, taken).await? else {
        return Ok(());
    };
    let content = limited(*contents, asked.house.files.max_file_size);
    let kept = match upload.write(0, content, Check::None).await {
        Ok(kept) => kept,
        Err(error) => {
            let _ = upload.discard().await;
            return Err(error);
        }
    };
    let seal = Seal {
        length: Some(kept),
        digest: None,
    };
    match upload.commit(seal).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let _ = upload.discard().await;
            Err(error)
        }
    }
}

/// Ends with `TooLarge` past the limit.
fn limited(contents: Contents, limit: Option<u64>) -> gaveta_core::Content {
    use futures_util::StreamExt;
    let mut left = limit.unwrap_or(u64::MAX);
    Box::pin(contents.content().map(move |piece| {
        let piece = piece?;
        left = left
            .checked_sub(piece.len() as u64)
            .ok_or_else(|| Error::new(ErrorKind::TooLarge))?;
        Ok(piece)
    }))
}

/// Begins under the first free name; none when the name is taken and it is to be skipped.
async fn begin(
    asked: &Asked<'_>,
    target: Path,
    taken: Taken,
) -> Result<Option<std::sync::Arc<dyn gaveta_core::Upload>>> {
    let mut number = 1;
    let mut free = target.clone();
    loop {
        let plan = WritePlan {
            replace: match taken {
                Taken::Replace => Replace::Always,
                Taken::Keep | Taken::Skip => Replace::Never,
            },
            ..WritePlan::new(free, asked.view.account().owner())
        };
        match asked.view.begin(plan).await {
            Ok(upload) => return Ok(Some(upload)),
            Err(error) if error.kind() == ErrorKind::Exists && taken == Taken::Skip => {
                return Ok(None);
            }
            Err(error)
                if error.kind() == ErrorKind::Exists && taken == Taken::Keep && number < NAMES =>
            {
                number += 1;
                free = target.numbered(number)?;
            }
            Err(error) => return Err(error),
        }
    }
}
