//! Bringing something back.

use gaveta_core::{Entry, Error, ErrorKind, Kind, RestorePlan, Result, TrashId};

use super::info::{self, Info};
use super::{Bin, counting};
use crate::base::{Base, unlink_quietly};
use crate::errno::{Os, found};
use crate::failpoint;
use crate::locks::lock;
use crate::moving::described;
use crate::os;
use crate::publish::{Coming, into_place};

/// Renames it to where it was, or is to be. What it replaces goes to the trash.
pub(super) fn restore(base: &Base, bin: &Bin, id: &TrashId, plan: &RestorePlan) -> Result<Entry> {
    base.check_writable()?;
    let (number, folder) = bin.bucket_of(id)?;
    let _leaving = bin.leave(id)?;
    let info = Info::read(&folder, id)?.ok_or_else(|| id.unknown())?;
    let target = plan.to.as_ref().unwrap_or(&info.path);
    if target.is_root() {
        return Err(Error::at(ErrorKind::BadMove, target));
    }
    let _held = base.locks.hold(&[target]);
    let look = || found(os::meta_at(&folder, id.as_str())).os();
    let meta = look()?.ok_or_else(|| id.unknown())?;
    let weight = counting::weight(&folder, id, &meta);
    let coming = match meta.kind {
        Kind::Folder => Coming::Folder,
        Kind::File | Kind::Link | Kind::Special => Coming::Entry,
    };
    let from = (&folder, id.as_str());
    let placed = into_place(base, from, target, &plan.replace, coming, plan.by.as_ref());
    match look()? {
        // Two names of one file: such a rename does nothing.
        Some(left) if placed.is_ok() && left.is_same(&meta) => {
            unlink_quietly(&folder, id.as_str());
        }
        Some(_) => placed?,
        None => {
            failpoint::pass("restore-renamed")?;
            info::forget(&folder, id);
            lock(&bin.totals).take(number, weight);
            return match placed {
                // Somebody took it by hand.
                Err(error) if error.kind() == ErrorKind::NotFound => Err(id.unknown()),
                // It is there, though its folder's flush may have failed.
                placed => {
                    placed?;
                    bin.flush(base, &folder)?;
                    described(base, target)
                }
            };
        }
    }
    info::forget(&folder, id);
    lock(&bin.totals).take(number, weight);
    described(base, target)
}
