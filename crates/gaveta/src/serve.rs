//! `gaveta serve`: opens a folder to the network.

mod handles;
mod logging;
mod refusal;
mod user;

use std::fmt::Display;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use gaveta_disk::{DiskStore, Durability, Options};
use gaveta_server::{
    AdminPassword, Config, Handle, Kept, Listening, PasswordProblem, Server, Source, UploadLimits,
};
use gaveta_text::{Text, escape};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;
use logging::{LogFormat, LogLevel, init_logging};
use refusal::{Refusal, cannot_bind, cannot_know, cannot_serve, failed, shown};
use user::UserProblem;

/// The folder that is served, and made, when none is named.
const DEFAULT_FOLDER: &str = "server_files";
/// Threads for disk work, at most.
const BLOCKING_THREADS: usize = 128;
/// The variable that may hold the administrator's password.
const PASSWORD_VARIABLE: &str = "GAVETA_ADMIN_PASSWORD";

/// How durable an acknowledged change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durable {
    /// It survives a power cut.
    Full,
    /// It survives the server's death, but not a power cut.
    Fast,
}

/// The arguments of `gaveta serve`. The help is a key of the texts.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[arg(value_name = "FOLDER", help = "help-serve-folder")]
    folder: Option<PathBuf>,
    #[arg(
        long,
        value_name = "HOST",
        default_value = "localhost",
        help = "help-serve-host"
    )]
    host: String,
    #[arg(
        short,
        long,
        value_name = "PORT",
        env = "GAVETA_PORT",
        hide_env = true,
        default_value_t = 4283,
        help = "help-serve-port"
    )]
    port: u16,
    #[arg(long, help = "help-serve-read-only")]
    read_only: bool,
    #[arg(long, value_name = "HOW", hide_possible_values = true,
        value_enum, default_value_t = Durable::Full,
        help = "help-serve-durability")]
    durability: Durable,
    #[arg(long, value_name = "FILE", help = "help-serve-admin-password-file")]
    admin_password_file: Option<PathBuf>,
    #[arg(long, value_name = "FOLDER", help = "help-serve-state-dir")]
    state_dir: Option<PathBuf>,
    #[arg(long, value_name = "NAME", help = "help-serve-user")]
    user: Option<String>,
    #[arg(long, value_name = "FORMAT", hide_possible_values = true,
        value_enum, default_value_t = LogFormat::Text,
        help = "help-serve-log")]
    log: LogFormat,
    #[arg(long, value_name = "LEVEL", hide_possible_values = true,
        value_enum, default_value_t = LogLevel::Info,
        help = "help-serve-log-level")]
    log_level: LogLevel,
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(0..=86_400), help = "help-serve-grace")]
    grace: u64,
    #[arg(long, value_name = "SIZE", value_parser = size, help = "help-serve-max-file-size")]
    max_file_size: Option<u64>,
    #[arg(long, value_name = "SIZE", value_parser = size, help = "help-serve-max-upload-bytes")]
    max_upload_bytes: Option<u64>,
    #[arg(long, value_name = "TIME", value_parser = span, default_value = "7d",
        help = "help-serve-upload-expiry")]
    upload_expiry: Duration,
}

/// So many seconds, or so many minutes, hours, days or weeks (`s`, `m`, `h`, `d`, `w`).
fn span(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let seconds: Option<u64> = match unit {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(60 * 60),
        "d" => Some(24 * 60 * 60),
        "w" => Some(7 * 24 * 60 * 60),
        _ => None,
    };
    // A thousand years: what every clock can add.
    let longest = 1000 * 365 * 24 * 60 * 60;
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(seconds?))
        .filter(|seconds| (1..=longest).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| "7d, 12h, 90m, 3600s".to_owned())
}

impl ServeArgs {
    /// As when nothing is said but the port.
    ///
    /// # Errors
    /// A variable of the environment that makes no sense.
    pub(crate) fn on_port(port: u16) -> Result<Self, clap::Error> {
        let command = Self::augment_args(clap::Command::new("serve"));
        let matches = command.try_get_matches_from(["serve", "--port", &port.to_string()])?;
        clap::FromArgMatches::from_arg_matches(&matches)
    }
}

/// Bytes, or so many K, M, G or T (1024 each), with or without `iB` or `B`.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let shift = match unit
        .to_ascii_lowercase()
        .trim_end_matches('b')
        .trim_end_matches('i')
    {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err("1048576, 512K, 20M, 4G, 1T".to_owned()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| "1048576, 512K, 20M, 4G, 1T".to_owned())
}

/// Serves until it is told to stop.
pub(crate) fn run(args: ServeArgs, text: &Text) -> Exit {
    init_logging(args.log, args.log_level);
    handles::raise();
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
    let home = become_who(args.user.as_deref(), text)?;
    let state = state_folder(args.state_dir.clone(), home)
        .ok_or_else(|| Refusal(Exit::State, text.say("serve-no-state-dir", &[])))?;
    let folder = folder(args.folder.as_deref(), text)?;
    keep_apart(&folder, &state, args.admin_password_file.as_deref(), text)?;
    let options = Options {
        durability: match args.durability {
            Durable::Full => Durability::Full,
            Durable::Fast => Durability::Fast,
        },
        read_only: args.read_only,
        ..Options::default()
    };
    let store = DiskStore::open(&folder, options)
        .map_err(|error| cannot_serve(text, &folder, &error, args.read_only))?;
    let admin = administrator(&Kept::in_folder(state), source, text)?;
    let config = Config {
        admin,
        max_file_size: args.max_file_size,
        uploads: UploadLimits {
            bytes: args.max_upload_bytes,
            expiry: args.upload_expiry,
            ..UploadLimits::default()
        },
        grace: Duration::from_secs(args.grace),
        ..Config::default()
    };
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
        greet(&server, &folder, &args, text);
        server.run(std::future::pending()).await;
        Ok(())
    });
    // What still runs on the disk's threads ends by itself or with the process; no change is half
    // done by that.
    runtime.shutdown_timeout(Duration::from_secs(2));
    let _ = writeln!(io::stdout().lock(), "{}", text.say("serve-stopped", &[]));
    served
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

/// Becomes the user of `--user`, and says where his home is.
fn become_who(name: Option<&str>, text: &Text) -> Result<Option<PathBuf>, Refusal> {
    let Some(name) = name else {
        if user::is_root() {
            warn(&text.say("serve-warn-root", &[]));
        }
        return Ok(None);
    };
    let refused = |problem: &UserProblem| {
        let key = match problem {
            UserProblem::Unknown => "serve-user-unknown",
            UserProblem::Root => "serve-user-root",
            UserProblem::NotRoot => "serve-user-not-root",
            UserProblem::NotDropped | UserProblem::Io(_) => "serve-user-failed",
        };
        let args = [
            ("name", escape(name).into_owned().into()),
            ("reason", shown(problem).into()),
        ];
        Refusal(Exit::State, text.say(key, &args))
    };
    let user = user::find(name).map_err(|problem| refused(&problem))?;
    user::become_user(&user).map_err(|problem| refused(&problem))?;
    tracing::info!(target: "gaveta::server", user = user.name, uid = user.uid, "rights given up");
    Ok(Some(user.home))
}

/// `--state-dir`, or the place for state of whom we run as (XDG Base Directory Specification).
fn state_folder(given: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    given
        .or_else(|| home.map(|home| home.join(".local/state/gaveta")))
        .or_else(|| variable("XDG_STATE_HOME").map(|state| state.join("gaveta")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/state/gaveta")))
}

/// The folder, absolute. Only the default one is made.
fn folder(given: Option<&Path>, text: &Text) -> Result<PathBuf, Refusal> {
    let path = given.unwrap_or(Path::new(DEFAULT_FOLDER));
    let refuse = |key: &str, reason: &dyn Display| {
        let args = [
            ("folder", shown(path.display()).into()),
            ("reason", shown(reason).into()),
        ];
        Refusal(Exit::Folder, text.say(key, &args))
    };
    if given.is_none()
        && let Err(error) = fs::create_dir(path)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(refuse("serve-folder-not-made", &error));
    }
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => {
            fs::canonicalize(path).map_err(|error| refuse("serve-folder-unreadable", &error))
        }
        Ok(_) => Err(refuse("serve-folder-is-file", &"")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(refuse("serve-folder-missing", &error))
        }
        Err(error) => Err(refuse("serve-folder-unreadable", &error)),
    }
}

/// Nobody may fetch the password, or replace it, through the drawer.
fn keep_apart(
    folder: &Path,
    state: &Path,
    password_file: Option<&Path>,
    text: &Text,
) -> Result<(), Refusal> {
    let beneath = |key: &str, path: &Path| {
        let args = [
            ("path", shown(path.display()).into()),
            ("folder", shown(folder.display()).into()),
        ];
        Refusal(Exit::State, text.say(key, &args))
    };
    if gaveta_disk::contains(folder, state) {
        return Err(beneath("serve-state-beneath", state));
    }
    match password_file {
        Some(file) if gaveta_disk::contains(folder, file) => {
            Err(beneath("serve-password-file-beneath", file))
        }
        _ => Ok(()),
    }
}

/// Where the password comes from. A file is read at once, while we may.
fn password_source(args: &ServeArgs) -> Result<Source, PasswordProblem> {
    if let Some(file) = &args.admin_password_file {
        return Source::File(file.clone()).read();
    }
    if let Some(value) = std::env::var_os(PASSWORD_VARIABLE).filter(|value| !value.is_empty()) {
        return Source::text(value);
    }
    Ok(Source::Kept {
        make: io::stderr().is_terminal(),
    })
}

/// The administrator's password. Without one, and nobody there to read a new one, the server runs
/// without an administrator.
fn administrator(
    kept: &Kept,
    source: Source,
    text: &Text,
) -> Result<Option<AdminPassword>, Refusal> {
    let known = kept
        .know(source)
        .map_err(|problem| cannot_know(text, &problem))?;
    if let Some(made) = &known.made {
        // Not through the log: logs are kept.
        let args = [("password", made.as_str().into())];
        let _ = writeln!(
            io::stderr().lock(),
            "{}",
            text.say("serve-password-made", &args)
        );
    }
    if known.weak {
        warn(&text.say("serve-warn-weak", &[]));
    }
    if known.password.is_none() {
        warn(&text.say("serve-warn-no-admin", &[]));
    }
    Ok(known.password)
}

/// Says where it listens, what it serves, and how to connect.
fn greet(server: &Server, folder: &Path, args: &ServeArgs, text: &Text) {
    let port = server
        .addresses()
        .first()
        .map_or(args.port, std::net::SocketAddr::port);
    let host = match args.host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V6(v6)) => format!("[{v6}]"),
        Ok(std::net::IpAddr::V4(v4)) => v4.to_string(),
        Err(_) => args.host.clone(),
    };
    let place = format!("{host}:{port}");
    let addresses: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
    let folder_key = match args.read_only {
        true => "serve-serves-read-only",
        false => "serve-serves",
    };
    let lines = [
        text.say(folder_key, &[("folder", shown(folder.display()).into())]),
        text.say(
            "serve-listens",
            &[
                ("url", format!("http://{place}/").into()),
                ("addresses", addresses.join(", ").into()),
            ],
        ),
        text.say("serve-connect", &[]),
        format!("    gaveta connect {place}"),
        format!("    gaveta list {place}"),
        format!("    gaveta send {} {place}/", text.say("serve-a-file", &[])),
        format!(
            "    curl -T {} http://{place}/",
            text.say("serve-a-file", &[])
        ),
        text.say("serve-how-to-stop", &[]),
    ];
    let mut out = io::stdout().lock();
    for line in lines {
        // Nobody reading is no reason not to serve.
        let _ = writeln!(out, "{line}");
    }
    let _ = out.flush();
    tracing::info!(
        target: "gaveta::server", addresses = addresses.join(", "),
        folder = shown(folder.display()), read_only = args.read_only, "serving"
    );
}

fn warn(sentence: &str) {
    tracing::warn!(target: "gaveta::server", "{sentence}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use gaveta_core::ErrorKind;
    use gaveta_server::BindError;
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
    fn times_are_read_with_their_units() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("2m", 120),
            ("1h", 3600),
            ("7d", 604_800),
        ] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in [
            "",
            "d",
            "0",
            "0d",
            "-1d",
            "1y",
            "1.5h",
            "99999999999999999999d",
            "999999w",
        ] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("4K", 4096),
            ("4kib", 4096),
            ("1MB", 1 << 20),
            ("2T", 2 << 40),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in [
            "",
            "K",
            "-1",
            "1.5G",
            "1X",
            "99999999999999999999",
            "18446744073709551615K",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
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
            assert_eq!(refused(&["--host", "0.0.0.0"]).0, Exit::Port);
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
                cannot_bind(&text, &BindError::NotLoopback("h".into())),
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

    #[test]
    fn the_state_has_a_place() {
        let given = Some(PathBuf::from("/given"));
        assert_eq!(state_folder(given.clone(), None), given);
        let home = Some(PathBuf::from("/home/ana"));
        assert_eq!(
            state_folder(None, home),
            Some("/home/ana/.local/state/gaveta".into())
        );
    }
}
