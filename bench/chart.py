"""The chart of a run: an SVG that carries its own ground, so that it reads on a light page and on a dark one."""

from xml.sax.saxutils import escape

import table

PANELS = ["big-up", "big-down", "small-up", "small-down", "unchanged", "changed", "clients-up", "listing"]
BARS = 5
# As in the pictures of the terminal.
GROUND, TEXT, QUIET, OURS, PEER = "#1e2127", "#d7dae0", "#9aa0ab", "#61afef", "#5c6370"
FONT = "ui-sans-serif, system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
WIDTH, PANEL, LEFT, GAP = 880, 420, 20, 20
ROW, TITLE = 21, 46
LABEL, VALUE = 120, 64


def bars(told, measure):
    """(figure, lane, is it ours) on the encrypted line: ours, then the best peers, scp among them."""
    value, ours = told.ours(measure, "gaveta-tls")
    if value is None:
        return []
    peers = told.peers(measure, "encrypted", flushing=False)
    best = peers[:BARS - 1]
    usual = [peer for peer in peers[BARS - 1:] if peer[1] == "scp"]
    if usual:
        best[-1] = usual[0]
    return [(value, ours, True)] + [(figure, lane, False) for figure, lane in best]


def text(x, y, words, fill, size=13, anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def panel(told, measure, x, y, lang):
    shown = bars(told, measure)
    words = table.WORDS[lang]
    out = [text(x, y + 16, f"{words[measure]}", TEXT, 14, weight="600"),
           text(x, y + 33, told.size(measure, lang), QUIET, 12)]
    most = max(value for value, _, _ in shown)
    room = PANEL - LABEL - VALUE
    for place, (value, lane, ours) in enumerate(shown):
        top = y + TITLE + place * ROW
        length = max(2, value / most * room)
        name = "Gaveta" if ours else lane
        out.append(text(x + LABEL - 8, top + 12, name, OURS if ours else TEXT, 13, "end", "600" if ours else "normal"))
        out.append(f'<rect x="{x + LABEL}" y="{top}" width="{length:.1f}" height="15" rx="3" fill="{OURS if ours else PEER}"/>')
        out.append(text(x + LABEL + length + 6, top + 12, table.figure(measure, value, lang), TEXT if ours else QUIET, 12))
    return out


def draw(told, lang):
    """The SVG as a text, or nothing where no panel has two bars."""
    words = table.WORDS[lang]
    measures = [measure for measure in PANELS if len(bars(told, measure)) > 1]
    if not measures:
        return None
    # Two columns; a row is as high as its higher panel.
    body, y = [], 64
    for left, right in zip(measures[::2], [*measures[1::2], None]):
        pair = [measure for measure in (left, right) if measure]
        for column, measure in enumerate(pair):
            body += panel(told, measure, LEFT + column * (PANEL + GAP - 10), y, lang)
        y += TITLE + max(len(bars(told, measure)) for measure in pair) * ROW + 18
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{escape(words["alt"])}">',
            f'<title>{escape(words["alt"])}</title>',
            f'<rect width="100%" height="100%" rx="10" fill="{GROUND}"/>', f'<g font-family="{FONT}">',
            text(LEFT, 30, words["alt"], TEXT, 17, weight="600"), text(LEFT, 49, words["chart"], QUIET, 13)]
    return "\n".join([*head, *body, "</g>", "</svg>", ""])
