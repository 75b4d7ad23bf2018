//! `gaveta serve`: opens a folder to the network.

mod admin;
mod args;
mod greet;
mod logging;
mod place;
mod refusal;
mod tls;
mod user;

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gaveta_client::Durable;
use gaveta_disk::{DiskStore, Options};
use gaveta_server::{AuditPlan, Config, Handle, Kept, Listening, Server, Shares, UploadLimits};
use gaveta_text::Text;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;
use admin::{administrator, password_source};
use greet::greet;
use logging::init_logging;
pub(crate) use place::state_folder;
use place::{accounts, become_who, folder, keep_apart};
use refusal::{Refusal, cannot_bind, cannot_know, cannot_serve, failed, shown};
use tls::reached_at;

pub(crate) use args::ServeArgs;

/// Threads for disk work, at most.
const BLOCKING_THREADS: usize = 128;

/// Serves until it is told to stop.
pub(crate) fn run(args: ServeArgs, text: &Text) -> Exit {
    init_logging(args.log, args.log_level);
    match start(args, text) {
        Ok(()) => Exit::Done,
        Err(Refusal(exit, sentence)) => {
            let _ = writeln!(io::stderr().lock(), "gaveta: {sentence}");
            exit
        }
    }
}

/// Binds and reads what only root may, gives root's rights up, and only then touches the folder
/// and starts threads.
fn start(args: ServeArgs, text: &Text) -> Result<(), Refusal> {
    let listening =
        Listening::bind(&args.host, args.port).map_err(|error| cannot_bind(text, &error))?;
    let source = password_source(&args).map_err(|problem| cannot_know(text, &problem))?;
    let given = args.tls.given(text)?;
    let home = become_who(args.user.as_deref(), text)?;
    let state = state_folder(args.state_dir.clone(), home)
        .ok_or_else(|| Refusal(Exit::State, text.say("serve-no-state-dir", &[])))?;
    let folder = folder(args.folder.as_deref(), text)?;
    let secrets = [
        (
            args.admin_password_file.as_deref(),
            "serve-password-file-beneath",
        ),
        (args.tls.key_file(), "serve-key-file-beneath"),
    ];
    keep_apart(&folder, &state, &secrets, text)?;
    let tls = match given {
        Some(given) => Some(given),
        None => args.tls.made(&args.host, &listening, &state, text)?,
    };
    let (accounts_file, accounts) = accounts(args.config.as_deref(), &state, &folder, text)?;
    let options = Options {
        durability: args.durability.into(),
        read_only: args.read_only,
        trash: args.trash(),
        ..Options::default()
    };
    let store = DiskStore::open(&folder, options)
        .map_err(|error| cannot_serve(text, &folder, &error, args.read_only))?;
    let admin = administrator(&Kept::in_folder(state.clone()), source, text)?;
    let mut config = Config {
        admin,
        accounts,
        accounts_file: Some(accounts_file),
        keys: Some(gaveta_server::drawer_folder(&state, &folder)),
        read_only: args.read_only,
        audit: audit(&args, &state, &folder, text)?,
        // Nobody brings anything here, and the file may be that of a server beside.
        usage: (!args.read_only).then(|| place::usage(&state, &folder)),
        state: Some(state),
        shares: Shares {
            connections: args.max_connections_per_address,
            requests: args.max_requests_per_address,
            rate: args.max_rate_per_account,
        },
        anonymous: args.anonymous,
        max_file_size: args.max_file_size,
        uploads: UploadLimits {
            bytes: args.max_upload_bytes,
            expiry: args.upload_expiry,
            ..UploadLimits::default()
        },
        grace: Duration::from_secs(args.grace),
        verify_every: args.verify_every.filter(|_| !args.read_only),
        ..Config::default()
    };
    if let Some(most) = args.max_connections {
        config.connections = usize::from(most.get());
    }
    if let Some(most) = args.max_sessions {
        config.sessions = usize::from(most.get());
    }
    args.tls
        .settle(tls.clone(), &args.host, &listening, &mut config);
    if args.tls.is_plain() && listening.is_outside() {
        warn(&text.say("serve-warn-plain", &[]));
    }
    let reached = reached_at(&listening);
    if args.durability == Durable::Fast {
        warn(&text.say("serve-warn-fast", &[]));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(|error| failed(text, &error))?;
    let served = runtime.block_on(async {
        let server = Server::new(config, listening, Arc::new(store))
            .map_err(|error| failed(text, &error.chain()))?;
        watch_signals(server.handle()).map_err(|error| failed(text, &error))?;
        greet(&server, &folder, &args, tls.as_ref(), &reached, text);
        server.run(std::future::pending()).await;
        Ok(())
    });
    // What still runs on the disk's threads ends by itself or with the process; no change is half
    // done by that.
    runtime.shutdown_timeout(Duration::from_secs(2));
    let _ = writeln!(io::stdout().lock(), "{}", text.say("serve-stopped", &[]));
    served
}

/// Where the audit log lies: never where it could be got through the drawer.
fn audit(
    args: &ServeArgs,
    state: &Path,
    folder: &Path,
    text: &Text,
) -> Result<Option<AuditPlan>, Refusal> {
    let path = match &args.audit {
        Some(off) if off.as_os_str() == "off" => return Ok(None),
        Some(path) => path.clone(),
        None => state.join(crate::account::LOG),
    };
    if gaveta_disk::contains(folder, &path) {
        let args = [
            ("path", shown(path.display()).into()),
            ("folder", shown(folder.display()).into()),
        ];
        return Err(Refusal(Exit::State, text.say("serve-audit-beneath", &args)));
    }
    Ok(Some(AuditPlan {
        path,
        keep: args.audit_keep,
    }))
}

/// The first signal lets what is under way end, the second does not.
fn watch_signals(handle: Handle) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        let mut stopping = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if stopping {
                handle.stop_now();
            } else {
                handle.close();
            }
            stopping = true;
        }
    });
    Ok(())
}

fn warn(sentence: &str) {
    tracing::warn!(target: "gaveta::server", "{sentence}");
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use clap::Parser;
    use gaveta_core::ErrorKind;
    use gaveta_server::{BindError, PasswordProblem};
    use gaveta_text::Lang;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        serve: ServeArgs,
    }

    fn args(line: &[&str]) -> ServeArgs {
        Line::parse_from([&["serve"], line].concat()).serve
    }

    #[test]
    fn what_cannot_be_served_has_a_sentence_and_a_code_in_both_languages() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "x").unwrap();
        let missing = home.path().join("missing");
        let state = home.path().join("state");
        let state = state.to_str().unwrap();
        for lang in Lang::ALL {
            let text = Text::new(lang);
            let refused = |line: &[&str]| {
                let line = [line, &["--port", "0", "--state-dir", state]].concat();
                let Err(Refusal(exit, sentence)) = start(args(&line), &text) else {
                    panic!("{line:?} serves")
                };
                assert!(
                    !sentence.contains('‹') && !sentence.contains("{ "),
                    "{sentence}"
                );
                (exit, sentence)
            };
            let (exit, sentence) = refused(&[file.to_str().unwrap()]);
            assert_eq!(exit, Exit::Folder);
            assert!(sentence.contains("file"), "{sentence}");
            assert_eq!(refused(&[missing.to_str().unwrap()]).0, Exit::Folder);
            assert!(!missing.exists(), "a named folder is never made");
            assert_eq!(refused(&[home.path().to_str().unwrap()]).0, Exit::State);
            assert_eq!(refused(&["--user", "no such user"]).0, Exit::State);
            let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = taken.local_addr().unwrap().port().to_string();
            let line = ["--state-dir", state, "--port", port.as_str()];
            let Err(Refusal(exit, sentence)) = start(args(&line), &text) else {
                panic!("serves")
            };
            assert_eq!(exit, Exit::Port);
            assert!(sentence.contains(&port), "{sentence}");
        }
    }

    #[test]
    fn every_refusal_has_its_sentence_in_both_languages() {
        let path = PathBuf::from("/a\u{1b}b");
        for lang in Lang::ALL {
            let text = Text::new(lang);
            let io = || io::Error::other("reason");
            let address = "127.0.0.1:80".parse().unwrap();
            let refusals = [
                cannot_bind(&text, &BindError::NoHost("h".into(), io())),
                cannot_bind(&text, &BindError::InUse(address)),
                cannot_bind(&text, &BindError::Forbidden(address)),
                cannot_bind(&text, &BindError::Io(address, io())),
                cannot_know(&text, &PasswordProblem::File(path.clone(), io())),
                cannot_know(&text, &PasswordProblem::Unusable),
                cannot_know(&text, &PasswordProblem::Damaged(path.clone())),
                cannot_know(&text, &PasswordProblem::Exposed(path.clone())),
                cannot_know(&text, &PasswordProblem::Random),
                cannot_serve(&text, &path, &ErrorKind::Locked.into(), false),
                cannot_serve(&text, &path, &ErrorKind::Permission.into(), false),
                cannot_serve(&text, &path, &ErrorKind::Io.into(), true),
                failed(&text, &"reason"),
            ];
            for Refusal(_, sentence) in refusals {
                assert!(
                    !sentence.contains('‹') && !sentence.contains("{ "),
                    "{sentence}"
                );
                assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
            }
            let plain = [
                "serve-no-state-dir",
                "serve-warn-fast",
                "serve-warn-root",
                "serve-warn-weak",
                "serve-warn-no-admin",
                "serve-stopped",
                "serve-connect",
                "serve-a-file",
                "serve-how-to-stop",
            ];
            for key in plain {
                assert!(text.find(key, &[]).is_some(), "{key}");
            }
            use clap::CommandFactory;
            for argument in Line::command().get_arguments() {
                let key = argument
                    .get_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(
                    text.find(&key, &[]).is_some() || !key.starts_with("help-serve"),
                    "{key}"
                );
            }
        }
    }
}
