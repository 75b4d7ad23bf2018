//! The arguments of `gaveta serve`.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gaveta_client::Durable;
use gaveta_core::Actions;
use gaveta_disk::TrashOptions;

use super::logging::{LogFormat, LogLevel};
use super::tls::TlsArgs;

/// The arguments of `gaveta serve`. The help is a key of the texts.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[arg(value_name = "FOLDER", help = "help-serve-folder")]
    pub(super) folder: Option<PathBuf>,
    #[arg(
        long,
        value_name = "HOST",
        default_value = "localhost",
        help = "help-serve-host"
    )]
    pub(super) host: String,
    #[arg(
        short,
        long,
        value_name = "PORT",
        env = "GAVETA_PORT",
        hide_env = true,
        default_value_t = 4283,
        help = "help-serve-port"
    )]
    pub(super) port: u16,
    #[arg(long, help = "help-serve-read-only")]
    pub(super) read_only: bool,
    #[arg(long, value_name = "HOW", hide_possible_values = true,
        value_enum, default_value_t = Durable::Full,
        help = "help-serve-durability")]
    pub(super) durability: Durable,
    #[arg(long, value_name = "FILE", help = "help-serve-admin-password-file")]
    pub(super) admin_password_file: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = "help-serve-config")]
    pub(super) config: Option<PathBuf>,
    #[arg(long, value_name = "WHAT", value_parser = Actions::parse, help = "help-serve-anonymous")]
    pub(super) anonymous: Option<Actions>,
    #[arg(long, value_name = "FOLDER", help = "help-serve-state-dir")]
    pub(super) state_dir: Option<PathBuf>,
    #[arg(long, value_name = "FILE|off", help = "help-serve-audit")]
    pub(super) audit: Option<PathBuf>,
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "256M",
        help = "help-serve-audit-keep")]
    pub(super) audit_keep: u64,
    #[arg(long, value_name = "NAME", help = "help-serve-user")]
    pub(super) user: Option<String>,
    #[arg(long, value_name = "FORMAT", hide_possible_values = true,
        value_enum, default_value_t = LogFormat::Text,
        help = "help-serve-log")]
    pub(super) log: LogFormat,
    #[arg(long, value_name = "LEVEL", hide_possible_values = true,
        value_enum, default_value_t = LogLevel::Info,
        help = "help-serve-log-level")]
    pub(super) log_level: LogLevel,
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(0..=86_400), help = "help-serve-grace")]
    pub(super) grace: u64,
    #[arg(long, value_name = "SIZE", value_parser = size, help = "help-serve-max-file-size")]
    pub(super) max_file_size: Option<u64>,
    #[arg(long, value_name = "SIZE", value_parser = size, help = "help-serve-max-upload-bytes")]
    pub(super) max_upload_bytes: Option<u64>,
    #[arg(long, value_name = "NUMBER", help = "help-serve-all-connections")]
    pub(super) max_connections: Option<NonZeroU16>,
    #[arg(long, value_name = "NUMBER", help = "help-serve-all-sessions")]
    pub(super) max_sessions: Option<NonZeroU16>,
    #[arg(long, value_name = "NUMBER", help = "help-serve-max-connections")]
    pub(super) max_connections_per_address: Option<usize>,
    #[arg(long, value_name = "NUMBER", help = "help-serve-max-requests")]
    pub(super) max_requests_per_address: Option<u32>,
    #[arg(long, value_name = "SIZE", value_parser = size, help = "help-serve-max-rate")]
    pub(super) max_rate_per_account: Option<u64>,
    #[arg(long, value_name = "TIME", value_parser = span, default_value = "7d",
        help = "help-serve-upload-expiry")]
    pub(super) upload_expiry: Duration,
    #[arg(long, value_name = "TIME", value_parser = keep, default_value = "30d",
        help = "help-serve-trash")]
    pub(super) trash: Keep,
    #[arg(long, value_name = "PERCENT", default_value_t = 20,
        value_parser = clap::value_parser!(u8).range(1..=100), help = "help-serve-trash-share")]
    pub(super) trash_share: u8,
    #[arg(long, help = "help-serve-trash-yields")]
    pub(super) trash_yields: bool,
    #[arg(long, value_name = "TIME", value_parser = span, help = "help-serve-verify-every")]
    pub(super) verify_every: Option<Duration>,
    #[command(flatten)]
    pub(super) tls: TlsArgs,
}

/// How long what is deleted or replaced is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It is not.
    Off,
    /// So long.
    For(Duration),
}

impl ServeArgs {
    /// The trash that was asked for. A folder that is only read has none.
    pub(super) fn trash(&self) -> Option<TrashOptions> {
        match self.trash {
            Keep::For(keep) if !self.read_only => Some(TrashOptions {
                keep,
                share: self.trash_share,
                yields: self.trash_yields,
            }),
            Keep::For(_) | Keep::Off => None,
        }
    }
}

/// A time, or `off`.
fn keep(text: &str) -> Result<Keep, String> {
    match text {
        "off" => Ok(Keep::Off),
        time => span(time)
            .map(Keep::For)
            .map_err(|forms| format!("{forms}, off")),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trash_is_kept_for_a_time_or_not() {
        assert_eq!(keep("off"), Ok(Keep::Off));
        assert_eq!(keep("2d"), Ok(Keep::For(Duration::from_secs(172_800))));
        assert!(keep("Off").is_err() && keep("0").is_err());
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
}
