//! Reading the audit log: from the oldest line on, across rotation, and further as it grows.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gaveta_wire::audit::{AuditBody, AuditFilter};

use super::LONGEST;
use super::file::rotated;

/// A place in the log, which goes on. Blocks while it reads; holds one line at a time.
///
/// Half lines and lines that are no records are passed over and counted. A file that was rotated
/// away is read to its end before the next; files that were dropped meanwhile are missing.
#[derive(Debug)]
pub struct AuditReader {
    path: PathBuf,
    filter: AuditFilter,
    open: Option<Open>,
    /// The number of the last rotated file that was read to its end.
    past: u64,
    skipped: u64,
    begun: bool,
}

#[derive(Debug)]
struct Open {
    reader: BufReader<File>,
    inode: u64,
    /// Its number, when it is a rotated one.
    number: Option<u64>,
    /// A line that has not ended yet.
    part: Vec<u8>,
    /// The line is longer than any of ours: thrown away up to its end.
    endless: bool,
}

impl AuditReader {
    /// Begins at the oldest line that the filter may take.
    pub fn new(path: impl Into<PathBuf>, filter: AuditFilter) -> Self {
        Self {
            path: path.into(),
            filter,
            open: None,
            past: 0,
            skipped: 0,
            begun: false,
        }
    }

    /// Lines that were no records.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The next record that the filter takes; none when there is none yet: later there may be.
    ///
    /// # Errors
    /// When a file cannot be read; a log that is not there is empty.
    pub fn next_record(&mut self) -> io::Result<Option<AuditBody>> {
        loop {
            if self.open.is_none() && !self.advance()? {
                return Ok(None);
            }
            let Some(open) = &mut self.open else {
                return Ok(None);
            };
            match open.line()? {
                Some(line) => match serde_json::from_slice::<AuditBody>(&line) {
                    Ok(record) if self.filter.takes(&record) => return Ok(Some(record)),
                    Ok(_) => {}
                    Err(_) => self.skipped += 1,
                },
                None if open.number.is_some() => {
                    self.past = open.number.unwrap_or(self.past);
                    self.open = None;
                }
                // The end of the file that is written. Was it rotated away?
                None => {
                    let inode = open.inode;
                    if inode_of(&self.path) == Some(inode) {
                        return Ok(None);
                    }
                    // All that was written to it before it was moved away is there by now.
                    if let Some(line) = open.line()? {
                        match serde_json::from_slice::<AuditBody>(&line) {
                            Ok(record) if self.filter.takes(&record) => return Ok(Some(record)),
                            Ok(_) => {}
                            Err(_) => self.skipped += 1,
                        }
                        continue;
                    }
                    let mine = rotated(&self.path)?
                        .into_iter()
                        .find(|file| file.inode == inode);
                    self.past = mine.map_or(self.past, |file| file.number);
                    self.open = None;
                }
            }
        }
    }

    /// Opens the next file. False when there is none.
    fn advance(&mut self) -> io::Result<bool> {
        let files = match rotated(&self.path) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let since = self.filter.since.filter(|_| !self.begun);
        let past = self.past;
        for file in files.into_iter().filter(|file| file.number > past) {
            // Nothing in it is younger than its last change.
            let old = since.is_some_and(|since| {
                fs::metadata(&file.path)
                    .and_then(|about| about.modified())
                    .is_ok_and(|modified| modified < since)
            });
            if old {
                self.past = file.number;
                continue;
            }
            match File::open(&file.path) {
                Ok(opened) => {
                    self.open = Some(Open::new(opened, Some(file.number))?);
                    self.begun = true;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        match File::open(&self.path) {
            Ok(opened) => {
                let opened = Open::new(opened, None)?;
                // It may have been rotated in between: then what lies before it comes first.
                let before = rotated(&self.path)?
                    .into_iter()
                    .any(|file| file.number > self.past && file.inode != opened.inode);
                if before {
                    return self.advance();
                }
                self.open = Some(opened);
                self.begun = true;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn inode_of(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|about| about.ino())
}

impl Open {
    fn new(file: File, number: Option<u64>) -> io::Result<Self> {
        let inode = file.metadata()?.ino();
        Ok(Self {
            reader: BufReader::with_capacity(64 * 1024, file),
            inode,
            number,
            part: Vec::new(),
            endless: false,
        })
    }

    /// The next whole line, without its end; none at the end of what is there.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let end = buffer.iter().position(|&b| b == b'\n');
            let taken = buffer
                .get(..end.unwrap_or(buffer.len()))
                .unwrap_or_default();
            if self.part.len() + taken.len() > LONGEST {
                self.endless = true;
                self.part.clear();
            }
            if !self.endless {
                self.part.extend_from_slice(taken);
            }
            let used = taken.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                self.endless = false;
                return Ok(Some(std::mem::take(&mut self.part)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::AuditPlan;
    use super::super::file::LogFile;
    use super::*;

    fn line(number: usize) -> Vec<u8> {
        let record = AuditBody {
            time: AuditBody::stamp(std::time::SystemTime::now()),
            operation: "read".into(),
            result: "done".into(),
            bytes: Some(number as u64),
            path: Some(format!("/{}", "x".repeat(900))),
            ..AuditBody::default()
        };
        let mut line = serde_json::to_vec(&record).unwrap();
        line.push(b'\n');
        line
    }

    fn rest(reader: &mut AuditReader) -> Vec<u64> {
        let mut found = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            found.push(record.bytes.unwrap());
        }
        found
    }

    #[test]
    fn a_reader_follows_across_rotation_and_misses_nothing() {
        let home = tempfile::tempdir().unwrap();
        let plan = AuditPlan {
            path: home.path().join("audit.jsonl"),
            keep: 16 * 16 * 1024,
        };
        let mut reader = AuditReader::new(&plan.path, AuditFilter::default());
        assert_eq!(rest(&mut reader), [0u64; 0]);
        let mut log = LogFile::open(&plan).unwrap();
        let mut seen = Vec::new();
        for number in 0..500 {
            log.append(&line(number)).unwrap();
            // Sometimes behind by more than one file, never by as many as are kept.
            if number % 37 == 0 {
                seen.extend(rest(&mut reader));
            }
        }
        seen.extend(rest(&mut reader));
        assert_eq!(seen, (0..500).collect::<Vec<u64>>());
        // Who begins now sees what is kept, in order, to the end.
        let kept = rest(&mut AuditReader::new(&plan.path, AuditFilter::default()));
        assert!(kept.len() > 100 && kept.len() < 500);
        assert!(kept.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        assert_eq!(kept.last(), Some(&499));
    }

    #[test]
    fn half_lines_and_nonsense_are_passed_over() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.jsonl");
        let endless = [b"\"".to_vec(), b"y".repeat(LONGEST), b"\n".to_vec()].concat();
        let text = [
            line(1),
            b"{\"ha\n".to_vec(),
            endless,
            line(2),
            b"{\"time".to_vec(),
        ]
        .concat();
        fs::write(&path, &text).unwrap();
        let mut reader = AuditReader::new(&path, AuditFilter::default());
        assert_eq!(rest(&mut reader), [1, 2]);
        assert_eq!(reader.skipped(), 2);
        // A line that ends later is whole then.
        let end = line(3);
        let text = [&text[..text.len() - 6], &end].concat();
        fs::write(&path, text).unwrap();
        let mut again = AuditReader::new(&path, AuditFilter::default());
        assert_eq!(rest(&mut again), [1, 2, 3]);
        // A log that is not there is empty.
        let mut none = AuditReader::new(home.path().join("none/x"), AuditFilter::default());
        assert!(none.next_record().unwrap().is_none());
    }
}
