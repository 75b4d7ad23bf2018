//! After an unclean stop: what was begun is finished or undone.

use gaveta_core::{Cause, Kind, Result};

use super::ids;
use super::info::{self, Info};
use crate::base::{Base, unlink_quietly};
use crate::errno::{Os, found};
use crate::os;

/// Only these, the newest, can hold something that was under way.
const LAST: usize = 2;

/// Sweeps up what was under way when the process died: information whose content did not come, and
/// second names of files that were not replaced after all. Blocks.
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
            let linked = info.cause == Cause::Replaced
                && here.kind != Kind::Folder
                && here.links > info.links;
            if linked && base.look(&info.path).is_ok_and(|live| live.is_same(&here)) {
                unlink_quietly(&bucket, id.as_str());
                info::forget(&bucket, &id);
            }
        }
    }
    Ok(())
}
