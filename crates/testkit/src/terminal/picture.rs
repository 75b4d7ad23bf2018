//! A screen as an SVG picture: a dark window, its text in columns, no font or request from outside.

use std::fmt::Write;

use vt100::{Cell, Color};

use super::screen::Screen;

/// The width of a column and the height of a row, in the picture's units. Text is stretched to its
/// columns, so that any monospaced font stands in its place.
const COLUMN: f32 = 8.4;
const ROW: f32 = 18.0;
const MARGIN: f32 = 16.0;
const TITLE: f32 = 34.0;

const BACKGROUND: &str = "#1e2127";
const FOREGROUND: &str = "#d7dae0";
/// The sixteen colours of a terminal, dark and bright.
const COLORS: [&str; 16] = [
    "#3f4451", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d7dae0",
    "#7f848e", "#ff7b86", "#b1e18b", "#f0d197", "#7fc1ff", "#de8ef5", "#6fd3e0", "#ffffff",
];

/// Cells that look the same, side by side.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    color: String,
    background: Option<String>,
    bold: bool,
    dim: bool,
    underline: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let (mut front, mut back) = (color(cell.fgcolor()), color(cell.bgcolor()));
        if cell.inverse() {
            (front, back) = (
                Some(back.unwrap_or_else(|| BACKGROUND.to_owned())),
                Some(front.unwrap_or_else(|| FOREGROUND.to_owned())),
            );
        }
        Self {
            color: front.unwrap_or_else(|| FOREGROUND.to_owned()),
            background: back,
            bold: cell.bold(),
            dim: cell.dim(),
            underline: cell.underline(),
        }
    }
}

/// A colour's value; none for the default one. Source: xterm's 256 colours.
fn color(color: Color) -> Option<String> {
    match color {
        Color::Default => None,
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        Color::Idx(index) => Some(match index {
            0..16 => COLORS[usize::from(index)].to_owned(),
            16..232 => {
                let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
                let index = index - 16;
                let (red, green, blue) = (index / 36, index / 6 % 6, index % 6);
                format!("#{:02x}{:02x}{:02x}", level(red), level(green), level(blue))
            }
            232.. => {
                let gray = 8 + 10 * (index - 232);
                format!("#{gray:02x}{gray:02x}{gray:02x}")
            }
        }),
    }
}

/// Draws the visible rows down to the last that is not empty.
pub(super) fn svg(screen: &Screen<'_>, title: &str) -> String {
    let rows = u16::try_from(screen.text().lines().count()).unwrap_or(u16::MAX);
    let columns = screen.size().1;
    let width = f32::from(columns) * COLUMN + 2.0 * MARGIN;
    let height = f32::from(rows) * ROW + TITLE + MARGIN;
    let title = escaped(title);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" role="img" aria-label="{title}">
<title>{title}</title>
<rect width="100%" height="100%" rx="10" fill="{BACKGROUND}"/>
<circle cx="20" cy="17" r="5.5" fill="#ff5f57"/><circle cx="38" cy="17" r="5.5" fill="#febc2e"/><circle cx="56" cy="17" r="5.5" fill="#28c840"/>
<text x="50%" y="21.5" fill="#9aa0ab" font-family="sans-serif" font-size="12" text-anchor="middle">{title}</text>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">
"##
    );
    for row in 0..rows {
        draw_row(&mut svg, screen, row, columns);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn draw_row(svg: &mut String, screen: &Screen<'_>, row: u16, columns: u16) {
    let mut column = 0;
    while column < columns {
        let (Some(first), start) = (screen.model.cell(row, column), column) else {
            break;
        };
        let look = Look::of(first);
        let mut text = String::new();
        while let Some(cell) = screen.model.cell(row, column)
            && column < columns
            && Look::of(cell) == look
        {
            if !cell.is_wide_continuation() {
                text.push_str(if cell.has_contents() {
                    cell.contents()
                } else {
                    " "
                });
            }
            column += 1;
        }
        draw_run(svg, (row, start, column - start), &text, &look);
    }
}

/// Draws one run of cells: where it stands as row, column and width.
fn draw_run(svg: &mut String, (row, start, length): (u16, u16, u16), text: &str, look: &Look) {
    let x = f32::from(start) * COLUMN + MARGIN;
    let top = f32::from(row) * ROW + TITLE;
    let width = f32::from(length) * COLUMN;
    if let Some(background) = &look.background {
        let _ = writeln!(
            svg,
            r#"<rect x="{x:.1}" y="{top:.1}" width="{width:.1}" height="{ROW:.1}" fill="{background}"/>"#
        );
    }
    // Blanks at either end are drawn by nobody; what is between keeps its columns.
    let indent = text.chars().take_while(|c| *c == ' ').count();
    let body = text.trim_matches(' ');
    if body.is_empty() {
        return;
    }
    let end = text.chars().rev().take_while(|c| *c == ' ').count();
    let columns = |count: usize| f32::from(u16::try_from(count).unwrap_or(u16::MAX)) * COLUMN;
    let (x, width) = (x + columns(indent), width - columns(indent + end));
    let mut style = String::new();
    if look.bold {
        style.push_str(r#" font-weight="bold""#);
    }
    if look.dim {
        style.push_str(r#" opacity="0.6""#);
    }
    if look.underline {
        style.push_str(r#" text-decoration="underline""#);
    }
    let _ = writeln!(
        svg,
        r#"<text x="{x:.1}" y="{:.1}" fill="{}" textLength="{width:.1}" lengthAdjust="spacingAndGlyphs"{style}>{}</text>"#,
        top + 13.5,
        look.color,
        escaped(body)
    );
}

/// As XML. Blanks beside each other become ones that no browser takes for one.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace("  ", "\u{a0}\u{a0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_an_xterm() {
        assert_eq!(color(Color::Default), None);
        assert_eq!(color(Color::Idx(1)).as_deref(), Some("#e06c75"));
        assert_eq!(color(Color::Idx(16)).as_deref(), Some("#000000"));
        assert_eq!(color(Color::Idx(196)).as_deref(), Some("#ff0000"));
        assert_eq!(color(Color::Idx(255)).as_deref(), Some("#eeeeee"));
        assert_eq!(color(Color::Rgb(1, 2, 3)).as_deref(), Some("#010203"));
    }

    #[test]
    fn a_picture_holds_the_text_in_its_colours_and_nothing_raw() {
        let size = |number| std::num::NonZeroU16::new(number).unwrap();
        let mut parser = vt100::Parser::new(size(4), size(20), 0);
        parser.process(b"\x1b[31m<red>\x1b[0m  a & b\r\n\x1b[7mback\x1b[0m");
        let picture = svg(
            &Screen {
                model: parser.screen_mut(),
                quiet: std::time::Duration::ZERO,
            },
            "x < y",
        );
        assert!(picture.contains(r##"fill="#e06c75""##), "{picture}");
        assert!(picture.contains(">&lt;red&gt;</text>"), "{picture}");
        assert!(picture.contains(">a &amp; b</text>"), "{picture}");
        assert_eq!(escaped("1   2 3"), "1\u{a0}\u{a0} 2 3");
        assert!(picture.contains("<title>x &lt; y</title>"), "{picture}");
        assert_eq!(picture.matches("<text").count(), 4, "{picture}");
    }
}
