//! What arrived and is not yet written.

use std::fs::File;
use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use gaveta_core::{Error, ErrorKind, Result};

use crate::errno::Os;
use crate::pool::{BUFFER, Lent, Pool};

/// What comes in pieces of this size stays where it is: such a piece fills at least half of the
/// buffer it was received in, so that no more than twice its bytes are held. What is smaller is
/// copied together.
const WHERE_IT_IS: usize = BUFFER / 2;
/// A write that starts with so much is likely to go on: its buffer is not grown step by step.
const WORTH_ROOM: usize = 8 << 10;
/// How many parts the system takes at once, at least (`IOV_MAX` of POSIX is 16; of all we know, 1024).
const PARTS: usize = 64;

/// Bytes in the order in which they came, as few parts as it pays.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    parts: Vec<Bytes>,
    filling: Option<Lent>,
    length: usize,
}

impl Gathered {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds what came next. `wanted` is how much is gathered in all.
    pub(super) fn push(&mut self, mut bytes: Bytes, wanted: usize, pool: &Arc<Pool>) {
        self.length += bytes.len();
        if bytes.len() >= WHERE_IT_IS {
            self.seal();
            self.parts.push(bytes);
            return;
        }
        let room = wanted.min(BUFFER);
        while !bytes.is_empty() {
            let small = bytes.len() < WORTH_ROOM && self.parts.is_empty();
            let filling = self.filling.get_or_insert_with(|| match small {
                true => Lent::new(Vec::new()),
                false => pool.lend(room),
            });
            let part = bytes.split_to(bytes.len().min(room - filling.bytes.len().min(room)));
            filling.bytes.extend_from_slice(&part);
            if filling.bytes.len() >= room {
                self.seal();
            }
        }
    }

    fn seal(&mut self) {
        if let Some(filled) = self.filling.take() {
            self.parts.push(filled.freeze());
        }
    }

    /// Takes everything, in order.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.seal();
        self.length = 0;
        std::mem::take(&mut self.parts)
    }
}

/// Writes these parts one after another, from `offset` on. Blocks.
pub(super) fn write_all(file: &File, parts: &[Bytes], mut offset: u64) -> Result<()> {
    let mut rest: std::collections::VecDeque<Bytes> = parts.iter().cloned().collect();
    while !rest.is_empty() {
        let slices: Vec<_> = rest
            .iter()
            .take(PARTS)
            .map(|part| IoSlice::new(part))
            .collect();
        let mut written = match rustix::io::pwritev(file, &slices, offset) {
            Ok(0) => return Err(Error::new(ErrorKind::Io).because("nothing was written")),
            Err(rustix::io::Errno::INTR) => continue,
            result => result.os()?,
        };
        offset += written as u64;
        while let Some(first) = rest.front_mut() {
            let part = written.min(first.len());
            first.advance(part);
            written -= part;
            if !first.is_empty() {
                break;
            }
            rest.pop_front();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_pieces_of_any_size_is_written_in_order() {
        let pool = Arc::new(Pool::default());
        for (wanted, sizes) in [
            (
                1 << 20,
                vec![
                    1,
                    8 << 10,
                    200_000,
                    WHERE_IT_IS,
                    3,
                    100_000,
                    127_000,
                    90_000,
                    2,
                ],
            ),
            (1 << 20, vec![7, 70_000, 70_000, 70_000, 70_000, 70_000, 9]),
            (64 << 10, vec![65_536]),
            (64 << 10, vec![1; 300]),
        ] {
            let total: usize = sizes.iter().sum();
            let all: Vec<u8> = (0..total).map(|at| (at % 251) as u8).collect();
            let mut gathered = Gathered::default();
            let mut rest = Bytes::from(all.clone());
            for size in sizes {
                gathered.push(rest.split_to(size), wanted, &pool);
            }
            assert_eq!(gathered.len(), total);
            let parts = gathered.take();
            assert!(gathered.is_empty() && gathered.take().is_empty());
            let file = tempfile::tempfile().unwrap();
            write_all(&file, &parts, 5).unwrap();
            let found = crate::reading::read_range(&file, 5..5 + total as u64).unwrap();
            assert!(found == all);
        }
    }

    #[test]
    fn more_parts_than_the_system_takes_at_once_are_written_all() {
        let parts: Vec<_> = (0..5000u32)
            .map(|n| Bytes::from(n.to_le_bytes().to_vec()))
            .collect();
        let file = tempfile::tempfile().unwrap();
        write_all(&file, &parts, 0).unwrap();
        let found = crate::reading::read_range(&file, 0..20_000).unwrap();
        assert!(found == parts.concat());
    }
}
