//! Keys, and what an xterm sends for them.
//!
//! Source: XTerm Control Sequences, "PC-Style Function Keys".

/// A key a person presses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Ends a line.
    Enter,
    /// Completes.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Escape.
    Escape,
    /// The arrow.
    Up,
    /// The arrow.
    Down,
    /// The arrow.
    Left,
    /// The arrow.
    Right,
    /// To the beginning of the line.
    Home,
    /// To the end of the line.
    End,
    /// Deletes the character before the cursor.
    Backspace,
    /// Deletes the character under the cursor.
    Delete,
    /// Control and this letter.
    Control(char),
    /// Alt and this letter.
    Alt(char),
}

impl Key {
    /// The bytes of the key; arrows differ when the program asked for application cursor keys.
    pub(super) fn bytes(self, application: bool) -> Vec<u8> {
        let arrow = |letter: u8| vec![0x1b, if application { b'O' } else { b'[' }, letter];
        match self {
            Self::Enter => b"\r".to_vec(),
            Self::Tab => b"\t".to_vec(),
            Self::BackTab => b"\x1b[Z".to_vec(),
            Self::Escape => b"\x1b".to_vec(),
            Self::Up => arrow(b'A'),
            Self::Down => arrow(b'B'),
            Self::Right => arrow(b'C'),
            Self::Left => arrow(b'D'),
            Self::Home => arrow(b'H'),
            Self::End => arrow(b'F'),
            Self::Backspace => vec![0x7f],
            Self::Delete => b"\x1b[3~".to_vec(),
            Self::Control(letter) => vec![letter.to_ascii_uppercase() as u8 & 0x1f],
            Self::Alt(letter) => format!("\x1b{letter}").into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_an_xterm() {
        assert_eq!(Key::Control('c').bytes(false), [3]);
        assert_eq!(Key::Control('\\').bytes(false), [0x1c]);
        assert_eq!(Key::Up.bytes(false), b"\x1b[A");
        assert_eq!(Key::Up.bytes(true), b"\x1bOA");
        assert_eq!(Key::Alt('b').bytes(false), b"\x1bb");
    }
}
