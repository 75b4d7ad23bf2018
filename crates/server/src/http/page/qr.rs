//! A link as a QR code (ISO/IEC 18004), for a phone to look at.

use maud::{Markup, html};
use qrcode::{Color, EcLevel, QrCode};

/// What stays empty around it, in modules, so that it is found.
const QUIET: usize = 4;

/// The drawing, dark on light whatever the page's colours are; none for what does not fit into one.
pub(super) fn qr(text: &str, label: &str) -> Option<Markup> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let (width, side) = (code.width(), code.width() + 2 * QUIET);
    let mut path = String::new();
    for (y, line) in code.to_colors().chunks(width).enumerate() {
        let mut x = 0;
        for run in line.chunk_by(|a, b| a == b) {
            if run.first() == Some(&Color::Dark) {
                let (x, y, n) = (x + QUIET, y + QUIET, run.len());
                path.push_str(&format!("M{x} {y}h{n}v1h-{n}z"));
            }
            x += run.len();
        }
    }
    let view = format!("0 0 {side} {side}");
    let ground = format!("M0 0h{side}v{side}h-{side}z");
    Some(html! {
        svg.qr viewBox=(view) role="img" aria-label=(label) shape-rendering="crispEdges" {
            path fill="#fff" d=(ground) {}
            path fill="#000" d=(path) {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dark_module_is_drawn_once() {
        let text =
            "https://example.org:4283/.gaveta/s/gvs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/";
        let drawn = qr(text, "QR \"code\"").unwrap().into_string();
        assert!(drawn.contains("aria-label=\"QR &quot;code&quot;\""));
        let code = QrCode::with_error_correction_level(text, EcLevel::M).unwrap();
        let dark = code
            .to_colors()
            .iter()
            .filter(|c| **c == Color::Dark)
            .count();
        let lengths = drawn.split("v1h-").skip(1);
        let sum: usize = lengths
            .map(|rest| rest.split('z').next().unwrap().parse::<usize>().unwrap())
            .sum();
        assert_eq!(sum, dark);
        assert!(qr(&"x".repeat(5000), "").is_none());
    }
}
