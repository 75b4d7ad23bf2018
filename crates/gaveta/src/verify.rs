//! `gaveta verify FOLDER`: reads everything in a folder of this machine again, without a server.

use std::path::Path;
use std::sync::Arc;

use clap::{ArgMatches, FromArgMatches};
use gaveta_client::fault::{Ended, Fault, Outcome};
use gaveta_client::printer::Printer;
use gaveta_client::verbs::verify::{self, Verify};
use gaveta_core::{Error, ErrorKind, Store};
use gaveta_disk::{DiskStore, Options, TrashOptions};
use gaveta_server::Verification;

/// Does the word mean a folder of this machine, rather than a server?
pub(crate) fn is_local(matches: &ArgMatches) -> bool {
    let place = matches.try_get_one::<String>("place").ok().flatten();
    place.is_some_and(|place| is_here(place))
}

/// Is this something of this machine, rather than a server? It is when it holds a separator at its
/// beginning, or when such a folder is there.
pub(crate) fn is_here(place: &str) -> bool {
    let local = [".", "..", "/", "./", "../"];
    local.contains(&place)
        || ["/", "./", "../"]
            .iter()
            .any(|start| place.starts_with(start))
        || Path::new(place).is_dir()
}

/// Reads it, tells what is wrong, and says how it ended.
pub(crate) async fn run(matches: &ArgMatches, printer: Arc<Printer>) -> Ended {
    printer.ended(verify(matches, &printer).await)
}

async fn verify(matches: &ArgMatches, printer: &Printer) -> Outcome<Ended> {
    let args = Verify::from_arg_matches(matches).map_err(|_| Fault::usage("client-no-address"))?;
    let folder = args.place.unwrap_or_default();
    let named = |error: Error| Fault::Store(error.about_text(folder.clone()));
    let path = Path::new(&folder);
    if !path.is_dir() {
        let kind = match path.exists() {
            true => ErrorKind::NotFolder,
            false => ErrorKind::NotFound,
        };
        return Err(named(Error::new(kind)));
    }
    // A folder that was never served is only read.
    let served = path.join(gaveta_core::path::RESERVED).is_dir();
    let kept = path
        .join(gaveta_core::path::RESERVED)
        .join("trash")
        .is_dir();
    let options = Options {
        read_only: !served,
        // Nothing goes from it meanwhile.
        trash: kept.then_some(TrashOptions {
            keep: std::time::Duration::MAX,
            share: 100,
            yields: false,
        }),
        ..Options::default()
    };
    let store: Arc<dyn Store> = Arc::new(DiskStore::open(path, options).map_err(named)?);
    let last = match args.afresh {
        true => None,
        false => Verification::last(Arc::clone(&store), false).await?,
    };
    let mut all = match last.filter(|last| !last.is_over()) {
        Some(last) => last,
        None => Verification::new(store, false)?,
    };
    let mut told = 0;
    let mut closed = None;
    let mut tell = |all: &Verification| {
        for finding in all.findings.iter().skip(told) {
            told += 1;
            if let Err(fault) = verify::tell(printer, finding) {
                closed = Some(fault);
                return false;
            }
        }
        true
    };
    all.run(&mut tell).await.map_err(named)?;
    match closed {
        Some(fault) => Err(fault),
        None => {
            verify::summary(printer, &all.state)?;
            Ok(verify::ended(&all.state))
        }
    }
}
