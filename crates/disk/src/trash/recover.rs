//! After an unclean stop: what was begun is finished or undone.

use gaveta_core::{Cause, Kind, Result};

use super::ids;
use super::info::{self, Came, Info};
use crate::base::{Base, unlink_quietly};
use crate::errno::{Os, found};
use crate::os;

/// Only these, the newest, can hold something that was under way.
const LAST: usize = 2;

/// Sweeps up what was under way when the process died: information whose content did not come, and
/// second names and copies of files that were not replaced after all. Blocks.
pub(crate) fn recover(base: &Base) {
    if let Err(error) = try_recover(base) {
        tracing::warn!(error = error.chain(), "the trash is not in order");
    }
}

fn try_recover(base: &Base) -> Result<()> {
    let Some(bin) = base.bin() else {
        return Ok(());
    };
    for number in bin.buckets()?.into_iter().rev().take(LAST) {
        let bucket = bin.bucket(number)?;
        for id in ids(&bucket)? {
            let Some(here) = found(os::meta_at(&bucket, id.as_str())).os()? else {
                info::forget(&bucket, &id);
                continue;
            };
            let Some(info) = Info::read(&bucket, &id)? else {
                continue;
            };
            if info.cause != Cause::Replaced || here.kind == Kind::Folder {
                continue;
            }
            let not_replaced = base.look(&info.path).is_ok_and(|live| match &info.came {
                Came::Itself(links) => here.links > *links && live.is_same(&here),
                Came::Copied(version) => live.version() == *version,
            });
            if not_replaced {
                unlink_quietly(&bucket, id.as_str());
                info::forget(&bucket, &id);
            }
        }
    }
    Ok(())
}
