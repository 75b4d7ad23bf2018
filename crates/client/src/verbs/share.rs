//! `share`: makes a link to a file or folder; lists links and ends them.

use clap::Args;
use gaveta_core::{Action, Path};
use gaveta_text::escape;
use gaveta_wire::body::time_from_text;
use gaveta_wire::keys::{NewShareBody, ShareBody, WayBody};
use serde_json::json;

use super::keyring::Keyring;
use super::span::seconds;
use super::{Connection, Context, Run};
use crate::drawer::about;
use crate::fault::{Ended, Fault, Outcome};

/// The arguments of `share`.
#[derive(Debug, Args)]
pub struct Share {
    #[arg(value_name = "HOST[:PORT]/PATH", help = "arg-share-path")]
    /// What to share: on a server, or on this machine.
    pub path: Option<String>,
    #[arg(long, visible_alias = "validade", value_name = "TIME", value_parser = seconds, help = "arg-share-expires")]
    expires: Option<u64>,
    #[arg(long, visible_alias = "senha", help = "arg-share-password")]
    password: bool,
    #[arg(
        long,
        visible_alias = "limite",
        value_name = "N",
        help = "arg-share-limit"
    )]
    limit: Option<u64>,
    #[arg(long, visible_alias = "enviar", help = "arg-share-drop")]
    drop: bool,
    #[arg(long, visible_alias = "listar", conflicts_with_all = ["expires", "password", "limit", "drop", "end"], help = "arg-share-list")]
    list: bool,
    #[arg(long, visible_alias = "revogar", value_name = "ID", conflicts_with_all = ["expires", "password", "limit", "drop"], help = "arg-share-end")]
    end: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Share {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let doing = async {
            let typed: Vec<String> = self.path.iter().cloned().collect();
            let found = context.addresses(&typed)?;
            let address = found.first().ok_or(Fault::usage("client-no-address"))?;
            let drawer = context.open(&address.server, &self.connection).await?;
            drawer.need(Action::Manage).await?;
            let place = || {
                let path = drawer.place(address)?;
                let shown = drawer.show(&path);
                Ok((path, shown))
            };
            self.work(&context, &drawer.remote, place).await
        };
        context.stoppable(doing).await
    }
}

impl Share {
    /// Does it where the links are. The place is what is shared, and how a person calls it.
    ///
    /// # Errors
    /// Those of who has them, and of the place.
    pub async fn work(
        &self,
        context: &Context,
        keyring: &dyn Keyring,
        place: impl FnOnce() -> Outcome<(Path, String)> + Send,
    ) -> Outcome<Ended> {
        if self.list {
            let shares = keyring.shares().await?;
            if shares.is_empty() {
                context.printer.note(&context.text().say("share-none", &[]));
            }
            for share in &shares {
                show(context, share)?;
            }
            return Ok(Ended::Done);
        }
        if !self.end.is_empty() {
            for id in &self.end {
                let ended = keyring.end_share(id).await;
                ended.map_err(|error| error.about_text(id.clone()))?;
                let args = [("id", escape(id).into_owned().into())];
                context
                    .printer
                    .note(&context.text().say("share-ended", &args));
            }
            return Ok(Ended::Done);
        }
        let (path, shown) = place()?;
        let password = match self.password {
            true => Some(ask_password(context).await?),
            false => None,
        };
        let new = NewShareBody {
            path: path.as_str().to_owned(),
            way: if self.drop {
                WayBody::Drop
            } else {
                WayBody::Get
            },
            seconds: self.expires,
            password,
            limit: self.limit,
        };
        let made = keyring.make_share(&new).await;
        let share = made.map_err(|error| Fault::Store(about(&error, shown)))?;
        let origin = keyring.origin();
        let link = share.link.as_deref().unwrap_or_default();
        let url = origin.as_ref().map(|origin| format!("{origin}{link}"));
        if context.printer.is_json() {
            context.printer.json(&object(&share, url.as_deref()))?;
            return Ok(Ended::Done);
        }
        context.printer.line(url.as_deref().unwrap_or(link))?;
        if origin.is_none() {
            context
                .printer
                .note(&context.text().say("share-no-server", &[]));
        }
        context.printer.note(&context.text().say("share-once", &[]));
        Ok(Ended::Done)
    }
}

async fn ask_password(context: &Context) -> Outcome<String> {
    let question = context.text().say("share-ask-password", &[]);
    context.printer.ask_password(&question).await
}

fn object(share: &ShareBody, url: Option<&str>) -> serde_json::Value {
    let mut object = serde_json::to_value(share).unwrap_or_default();
    if let Some(fields) = object.as_object_mut() {
        fields.insert("type".to_owned(), json!("share"));
        fields.extend(url.map(|url| ("url".to_owned(), json!(url))));
    }
    object
}

fn show(context: &Context, share: &ShareBody) -> Outcome {
    let (text, printer) = (context.text(), &context.printer);
    if printer.is_json() {
        return printer.json(&object(share, None));
    }
    let way = match share.way {
        WayBody::Get => "share-way-get",
        WayBody::Drop => "share-way-drop",
    };
    let mut words = vec![
        escape(&share.id).into_owned(),
        text.say(way, &[]),
        format!("/{}", escape(&share.path)),
        match share.limit {
            Some(limit) => format!("{}/{limit}", share.used),
            None => share.used.to_string(),
        },
        escape(&share.maker).into_owned(),
    ];
    if share.password {
        words.push(text.say("share-has-password", &[]));
    }
    if let Some(end) = share
        .expires
        .as_deref()
        .and_then(|end| time_from_text(end).ok())
    {
        words.push(text.time(end).trim().to_owned());
    }
    printer.line(&words.join("  "))
}
