//! What a person sees.

use std::fmt::Write;
use std::time::Duration;

/// A row of all that was ever shown, counted from the first: scrolling does not change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub(super) usize);

impl Mark {
    /// The first row.
    pub const TOP: Self = Self(0);

    /// The row below.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The screen at one moment.
#[derive(Debug)]
pub struct Screen<'a> {
    pub(super) model: &'a mut vt100::Screen,
    pub(super) quiet: Duration,
}

impl Screen<'_> {
    /// The visible rows, without the blanks at their ends and the empty ones at the bottom.
    pub fn text(&self) -> String {
        trimmed(self.model.rows(0, self.columns()))
    }

    /// Its height and width in characters.
    pub fn size(&self) -> (u16, u16) {
        let (rows, columns) = self.model.size();
        (rows.get(), columns.get())
    }

    fn columns(&self) -> u16 {
        self.size().1
    }

    /// The cursor's row among the visible ones, and its column, both from 0.
    pub fn cursor(&self) -> (u16, u16) {
        self.model.cursor_position()
    }

    /// The row where the cursor is.
    pub fn cursor_line(&self) -> String {
        let row = usize::from(self.cursor().0);
        let line = self.model.rows(0, self.columns()).nth(row);
        line.unwrap_or_default().trim_end().to_owned()
    }

    /// The cursor's row among all that was ever shown.
    pub fn mark(&self) -> Mark {
        Mark(self.model.scrollback_len() + usize::from(self.cursor().0))
    }

    /// The rows from the mark down to the last that is not empty, without the blanks at their
    /// ends, also where they have scrolled away since.
    pub fn lines_from(&mut self, mark: Mark) -> Vec<String> {
        let columns = self.columns();
        let above = self.model.scrollback_len();
        let mut lines = Vec::new();
        for row in mark.0..above {
            self.model.set_scrollback(above - row);
            lines.extend(self.model.rows(0, columns).next());
        }
        self.model.set_scrollback(0);
        let visible = self.model.rows(0, columns);
        lines.extend(visible.skip(mark.0.saturating_sub(above)));
        trimmed(lines.into_iter())
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// How long the program has written nothing.
    pub fn quiet(&self) -> Duration {
        self.quiet
    }

    /// Does the program want arrows as application cursor keys?
    pub fn application_cursor(&self) -> bool {
        self.model.application_cursor()
    }

    /// Does the program want to know what is pasted?
    pub fn bracketed_paste(&self) -> bool {
        self.model.bracketed_paste()
    }

    /// Is the cursor hidden?
    pub fn hides_cursor(&self) -> bool {
        self.model.hide_cursor()
    }

    /// The visible rows in a frame.
    pub(super) fn framed(&self) -> String {
        let width = usize::from(self.columns());
        let mut framed = format!("┌{}┐\n", "─".repeat(width));
        for line in self.text().lines() {
            let _ = writeln!(framed, "│{line}");
        }
        let (row, column) = self.cursor();
        let _ = write!(framed, "└{}┘ cursor {row}:{column}", "─".repeat(width));
        framed
    }
}

fn trimmed(rows: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for row in rows {
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}
