//! `token`: makes, lists and revokes tokens, for programs that sign in by themselves.

use clap::{Args, ValueEnum};
use gaveta_core::Action;
use gaveta_text::escape;
use gaveta_wire::body::time_from_text;
use gaveta_wire::keys::{NewTokenBody, ScopeBody, TokenBody};
use serde_json::json;

use super::keyring::Keyring;
use super::span::seconds;
use super::{Connection, Context, Run};
use crate::fault::{Ended, Fault, Outcome, Sentence};

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Doing {
    /// Make one.
    #[value(alias = "criar")]
    Add,
    /// Show all.
    #[value(alias = "listar")]
    List,
    /// Revoke one.
    #[value(aliases = ["remover", "revogar"])]
    Remove,
}

/// The arguments of `token`.
#[derive(Debug, Args)]
pub struct Token {
    #[arg(
        value_name = "add|list|remove",
        value_enum,
        hide_possible_values = true,
        help = "arg-token-doing"
    )]
    doing: Doing,
    #[arg(value_name = "HOST[:PORT]/ NAME", num_args = 0.., help = "arg-token-words")]
    /// The server, or a folder of this machine, and names.
    pub words: Vec<String>,
    #[arg(long, visible_alias = "alcance", value_name = "PATH=ACTIONS", value_parser = scope, help = "arg-token-scope")]
    scope: Vec<ScopeBody>,
    #[arg(long, visible_alias = "validade", value_name = "TIME", value_parser = seconds, help = "arg-token-expires")]
    expires: Option<u64>,
    #[arg(
        long,
        visible_alias = "conta",
        value_name = "NAME",
        help = "arg-token-account"
    )]
    account: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

fn scope(text: &str) -> Result<ScopeBody, String> {
    match text.rsplit_once('=') {
        Some((path, actions)) => Ok(ScopeBody {
            path: path.trim_matches('/').to_owned(),
            actions: actions.to_owned(),
        }),
        None => Err("/docs=viewer, /in=create, /=list,read".to_owned()),
    }
}

impl Run for Token {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let doing = async {
            // On the command line the server comes first; in the shell it goes without saying.
            let (at, names) = match (context.here(), self.words.split_first()) {
                (Some(_), _) => (None, self.words.as_slice()),
                (None, Some((at, names))) => (Some(at.clone()), names),
                (None, None) => return Err(Fault::usage("client-no-address")),
            };
            let at: Vec<String> = at.into_iter().collect();
            let found = context.addresses(&at)?;
            let address = found.first().ok_or(Fault::usage("client-no-address"))?;
            let drawer = context.open(&address.server, &self.connection).await?;
            drawer.need(Action::Manage).await?;
            self.work(&context, &drawer.remote, names).await
        };
        context.stoppable(doing).await
    }
}

impl Token {
    /// Does it where the tokens are, with these names.
    ///
    /// # Errors
    /// Those of who has them; [`Fault::Usage`] for words that do not fit.
    pub async fn work(
        &self,
        context: &Context,
        keyring: &dyn Keyring,
        names: &[String],
    ) -> Outcome<Ended> {
        match (self.doing, names) {
            (Doing::Add, [name]) => self.add(context, keyring, name).await,
            (Doing::List, []) => list(context, keyring).await,
            (Doing::Remove, [_, ..]) => remove(context, keyring, names).await,
            _ => Err(Fault::usage("token-words")),
        }
    }

    async fn add(&self, context: &Context, keyring: &dyn Keyring, name: &str) -> Outcome<Ended> {
        let new = NewTokenBody {
            name: name.to_owned(),
            account: self.account.clone(),
            scopes: self.scope.clone(),
            seconds: self.expires,
        };
        let made = keyring.make_token(&new).await?;
        if context.printer.is_json() {
            context.printer.json(&object(&made))?;
        } else {
            context
                .printer
                .line(made.secret.as_deref().unwrap_or_default())?;
            context.printer.note(&context.text().say("token-once", &[]));
        }
        Ok(Ended::Done)
    }
}

fn object(token: &TokenBody) -> serde_json::Value {
    let mut object = serde_json::to_value(token).unwrap_or_default();
    if let Some(fields) = object.as_object_mut() {
        fields.insert("type".to_owned(), json!("token"));
    }
    object
}

async fn list(context: &Context, keyring: &dyn Keyring) -> Outcome<Ended> {
    let (text, printer) = (context.text(), &context.printer);
    let tokens = keyring.tokens().await?;
    if tokens.is_empty() {
        printer.note(&text.say("token-none", &[]));
    }
    for token in &tokens {
        if printer.is_json() {
            printer.json(&object(token))?;
            continue;
        }
        let scopes: Vec<String> = token
            .scopes
            .iter()
            .map(|scope| format!("/{}={}", escape(&scope.path), escape(&scope.actions)))
            .collect();
        let mut words = vec![
            escape(&token.id).into_owned(),
            escape(&token.account).into_owned(),
            escape(&token.name).into_owned(),
            scopes.join(" "),
        ];
        if let Some(end) = token
            .expires
            .as_deref()
            .and_then(|end| time_from_text(end).ok())
        {
            words.push(text.time(end).trim().to_owned());
        }
        printer.line(words.join("  ").trim_end())?;
    }
    Ok(Ended::Done)
}

/// Revokes by id, or by name where only one has it.
async fn remove(context: &Context, keyring: &dyn Keyring, names: &[String]) -> Outcome<Ended> {
    let known = keyring.tokens().await?;
    for name in names {
        let mut found = known
            .iter()
            .filter(|token| token.id == *name || token.name == *name);
        let (Some(token), None) = (found.next(), found.next()) else {
            let sentence = Sentence::new("token-which").with("name", name);
            return Err(Fault::Said(gaveta_core::ErrorKind::NotFound, sentence));
        };
        keyring.revoke_token(&token.id).await?;
        let args = [("name", escape(&token.name).into_owned().into())];
        context
            .printer
            .note(&context.text().say("token-removed", &args));
    }
    Ok(Ended::Done)
}
