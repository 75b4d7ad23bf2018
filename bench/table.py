"""What a run tells, as Markdown: the long report, and the short table of the READMEs."""

from measure import median

MIB = 1 << 20

# The figure that a measure is judged by (less is better), and how it is told.
JUDGED = {"resume-up": "share", "resume-down": "share", "idle": "each"}
ORDER = ["big-up", "big-down", "small-up", "small-down", "unchanged", "changed", "delta", "resume-up", "resume-down",
         "listing", "clients-up", "clients-down", "idle"]

WORDS = {
    "en": {
        "big-up": "one file, sent", "big-down": "one file, fetched", "small-up": "small files, sent",
        "small-down": "small files, fetched", "unchanged": "sent again, nothing changed", "changed": "sent again, 1 % of the files changed",
        "delta": "sent again, 1 % of one file changed", "resume-up": "cut at half, sent on: share of the file that goes then",
        "resume-down": "cut at half, fetched on: share of the file that goes then", "listing": "a folder listed",
        "clients-up": "many clients at once, sending", "clients-down": "many clients at once, fetching",
        "idle": "idle connections: memory of the server for each",
        "encrypted": "encrypted", "plain": "not encrypted", "best": "best peer", "point": ".", "to": "to",
        "ours-encrypted": "Gaveta, encrypted, on disk", "ours-plain": "Gaveta, plain, not flushed",
        "times": "times", "none": "none",
        "said": "Medians of {rounds} rounds in {runs}, over loopback, {cores} cores ({cpu}), {made}. Gaveta verifies the whole "
                "content on both sides each time; encrypted, it also has it on disk before it says so; no peer in this table flushes. "
                "“Times” is the best peer's figure over Gaveta's. Every figure, each command and who cannot do what: "
                "[docs/bench.md](docs/bench.md).",
        "dd": "Plain and on disk, the file took {times} times what `dd conv=fsync` took in the same run.",
        "one-run": "one run", "runs": "{runs} runs",
        "alt": "Gaveta beside its peers",
        "chart": "seconds, less is better; encrypted, Gaveta on disk and verified",
        "quick": "A run of small sizes: it shows that everything runs, not how fast.",
    },
    "pt-BR": {
        "big-up": "um arquivo, enviado", "big-down": "um arquivo, baixado", "small-up": "arquivos pequenos, enviados",
        "small-down": "arquivos pequenos, baixados", "unchanged": "enviar de novo, nada mudou",
        "changed": "enviar de novo, 1 % dos arquivos mudou", "delta": "enviar de novo, 1 % de um arquivo mudou",
        "resume-up": "corte na metade, envio continua: parte do arquivo que ainda vai",
        "resume-down": "corte na metade, download continua: parte do arquivo que ainda vem", "listing": "listar uma pasta",
        "clients-up": "muitos clientes ao mesmo tempo, enviando", "clients-down": "muitos clientes ao mesmo tempo, baixando",
        "idle": "conexões paradas: memória do servidor para cada uma",
        "encrypted": "cifrado", "plain": "sem cifra", "best": "melhor concorrente", "point": ",", "to": "a",
        "ours-encrypted": "Gaveta, cifrada, em disco", "ours-plain": "Gaveta, sem cifra nem flush",
        "times": "vezes", "none": "nenhum",
        "said": "Medianas de {rounds} rodadas em {runs}, em loopback, {cores} núcleos ({cpu}), {made}. A Gaveta confere "
                "sempre o conteúdo inteiro dos dois lados; cifrada, ela também só confirma o que já está em disco; nenhum "
                "concorrente desta tabela faz flush. “Vezes” é o número do melhor concorrente dividido pelo da Gaveta. Todos os "
                "números, cada comando e quem não sabe fazer o quê: [docs/bench.md](docs/bench.md) (em inglês).",
        "dd": "Sem cifra e em disco, o arquivo levou {times} vezes o que `dd conv=fsync` levou na mesma execução.",
        "one-run": "uma só execução", "runs": "{runs} execuções",
        "alt": "Gaveta ao lado dos concorrentes",
        "chart": "segundos, menos é melhor; cifrado, Gaveta em disco e conferida",
        "quick": "Uma execução com tamanhos pequenos: mostra que tudo funciona, não a velocidade.",
    },
}


def number(value, digits, lang="en"):
    return f"{value:.{digits}f}".replace(".", WORDS[lang]["point"])


def seconds(value, lang="en"):
    return f"{number(value, 2 if value < 10 else 1, lang)} s"


def figure(measure, value, lang="en"):
    """A judged figure with its unit."""
    kind = JUDGED.get(measure)
    if kind == "share":
        return f"{number(value * 100, 1, lang)} %"
    if kind == "each":
        return f"{number(value / 1024, 1, lang)} KiB"
    return seconds(value, lang)


class Told:
    """One run, or several of which a later one counts where both have a scenario."""

    def __init__(self, runs):
        self.runs, self.run = runs, runs[-1]
        self.lanes, self.scenarios, self.missing, self.far = {}, {}, {}, []
        for run in runs:
            self.lanes.update(run["lanes"])
            self.scenarios.update(run["scenarios"])
            self.missing.update(run["missing"])
            self.far = run.get("far") or self.far
        self.results, self.amounts, self.titles = {}, {}, {}
        for scenario in self.scenarios.values():
            for measure, found in scenario["measures"].items():
                self.results[measure], self.amounts[measure] = found, scenario["amount"]
                self.titles[measure] = scenario["title"]
        self.measures = [measure for measure in ORDER if measure in self.results]

    def rounds(self, lang):
        """How many, over all runs."""
        few, many = (pick(run["rounds"] for run in self.runs) for pick in (min, max))
        return str(few) if few == many else f"{few} {WORDS[lang]['to']} {many}"

    def middle(self, measure, lane, key=None):
        """The median of a figure, the judged one unless another is named."""
        rounds = self.results.get(measure, {}).get(lane, {}).get("rounds", [])
        key = key or JUDGED.get(measure, "seconds")
        return median([took[key] for took in rounds if key in took])

    def peers(self, measure, line, flushing=True):
        """(figure, lane) of every peer on a line that did it, the best first; without those that flush if told so."""
        found = []
        for name in self.results.get(measure, {}):
            lane = self.lanes[name]
            value = self.middle(measure, name)
            if lane["peer"] in ("gaveta", "dd") or lane["line"] != line or (lane["durable"] and not flushing):
                continue
            if value is not None and not self.failed(measure, name):
                found.append((value, name))
        return sorted(found)

    def failed(self, measure, lane):
        return self.results[measure][lane].get("failed")

    def ours(self, measure, *names):
        """The first of these lanes that did it: (figure, lane)."""
        for name in names:
            value = self.middle(measure, name)
            if value is not None:
                return value, name
        return None, None

    def size(self, measure, lang="en"):
        amount = self.amounts[measure]
        if lang == "pt-BR":
            for english, ours in (("entries", "entradas"), ("connections", "conexões"), ("bytes", "bytes")):
                amount = amount.replace(english, ours)
        return amount


def short(told, lang):
    """The table of a README."""
    words = WORDS[lang]
    rows = [f"| | {words['ours-encrypted']} | {words['best']} | {words['times']} | {words['ours-plain']} | {words['best']} | {words['times']} |",
            "|---|---|---|---|---|---|---|"]
    for measure in told.measures:
        cells = [f"{words[measure]} ({told.size(measure, lang)})"]
        for line, ours in (("encrypted", ("gaveta-tls",)), ("plain", ("gaveta-fast", "gaveta"))):
            value, _ = told.ours(measure, *ours)
            peers = told.peers(measure, line, flushing=False)
            cells.append(figure(measure, value, lang) if value is not None else "—")
            cells.append(f"{figure(measure, peers[0][0], lang)} ({peers[0][1]})" if peers else words["none"])
            cells.append(f"**{number(peers[0][0] / value, 1, lang)}**" if peers and value else "—")
        rows.append("| " + " | ".join(cells) + " |")
    machine = told.run["machine"]
    many = len(told.runs)
    runs = words["one-run"] if many == 1 else words["runs"].format(runs=many)
    text = words["said"].format(rounds=told.rounds(lang), runs=runs, cores=machine["cores"], cpu=machine["cpu"], made=told.run["made"][:10])
    ours, dd = told.middle("big-up", "gaveta"), told.middle("big-up", "dd")
    if ours and dd:
        text += " " + words["dd"].format(times=number(ours / dd, 2, lang))
    if told.run["quick"]:
        text = f"**{words['quick']}** {text}"
    return "\n".join(rows) + "\n\n" + text


def long(told):
    """Everything, in English."""
    run, machine = told.run, told.run["machine"]
    made = "; ".join(f"at {each['made']} of {each['commit']} with {each['rounds']} rounds ({', '.join(each['scenarios'])})" for each in told.runs)
    if len(told.runs) > 1:
        made += ", where of what two runs measured the later counts"
    lines = ["# Gaveta beside its peers", "",
             f"Made by `bench/run` and `bench/report` {made}; each round with every lane in turn, "
             f"over loopback. {machine['cores']} cores ({machine['cpu']}), {machine['memory'] / (1 << 30):.1f} GiB of memory, "
             f"Linux {machine['kernel']}, {machine['disk']}."]
    if run["quick"]:
        lines += ["", f"**{WORDS['en']['quick']}**"]
    lines += ["", "Figures are medians. *Ratio* is the figure of the best peer on the same line (plain or encrypted) over this lane's: above 1 "
              "is better than every peer; *flushed*, the same among those that flush. *On disk* means flushed before it is acknowledged; *verified*, that a digest of the content is compared. "
              "Processor time is user and system time with all children. Memory of the server is its peak (`VmHWM`) while the command ran, "
              "summed over its processes. What arrived was compared with what was sent, each time, outside the clock. "
              "A peer that took more than 4 times what the fastest peer took in the first round, or 1.5 times in the first two, sits out the "
              "rest (*rounds*), but for scp, rsync over ssh and those that flush; a command of more than half a minute is ended. `lists/N` are options for curl, a path and a URL for each file, "
              "made before the clock runs.", "",
              "| lane | program | line | on disk | verified |", "|---|---|---|---|---|"]
    for name, lane in told.lanes.items():
        lines.append(f"| {name} | {lane['version']} | {lane['line']} | {yes(lane['durable'])} | {yes(lane['verifies'])} |")
    if told.missing:
        lines += ["", "Not here, so not measured: " + "; ".join(f"{name} ({why})" for name, why in told.missing.items()) + "."]
    for measure in told.measures:
        lines += ["", f"## {WORDS['en'][measure].capitalize()}: {told.amounts[measure]}", "", told.titles[measure], ""]
        lines += of(told, measure)
    if told.far:
        lines += ["", "## A far link", ""]
        for link in told.far:
            lines += [link["link"] + ":", "", "| | seconds |", "|---|---|"]
            lines += [f"| {name} | {value:.2f} |" for name, value in link["seconds"].items()] + [""]
    return "\n".join(lines).rstrip() + "\n"


def yes(value):
    return "yes" if value else "no"


# Columns that a measure has beside those of all.
MORE = {
    "share": ("bytes over the line, of the file", lambda value: f"{value * 100:.1f} %"),
    "twice": ("bytes more than once, of the file", lambda value: f"{value * 100:.1f} %"),
    "first_byte": ("first byte", lambda value: f"{value * 1000:.0f} ms"),
    "told": ("length of the answer", lambda value: f"{value / MIB:.1f} MiB"),
    "of_one": ("throughput of all, of one client's", lambda value: f"{value * 100:.0f} %"),
    "slowest": ("slowest, of the mean", lambda value: f"{value * 100:.0f} %"),
    "each": ("memory for each", lambda value: f"{value / 1024:.1f} KiB"),
}
COSTS = [("client_cpu", "client CPU", seconds), ("server_cpu", "server CPU", seconds),
         ("server_peak", "server memory", lambda value: f"{value / MIB:.0f} MiB")]


def of(told, measure):
    """The table of one measure, its commands, and who is not in it."""
    found = told.results[measure]
    more = [key for key in MORE if any(key in took for lane in found.values() for took in lane["rounds"])]
    head = ["lane", "seconds", "ratio", *(MORE[key][0] for key in more), *(title for _, title, _ in COSTS), "rounds"]
    rows, commands, absent = [], [], []
    lines = ("plain", "encrypted")
    best = {line: next(iter(told.peers(measure, line)), (None,))[0] for line in lines}
    flushed = {line: next((value for value, name in told.peers(measure, line) if told.lanes[name]["durable"]), None) for line in lines}
    if any(flushed.values()):
        head.insert(3, "ratio, flushed")
    for line in ("encrypted", "plain"):
        lanes = [name for name in found if told.lanes[name]["line"] == line]
        for name in sorted(lanes, key=lambda name: told.middle(measure, name) or float("inf")):
            if told.failed(measure, name):
                absent.append(f"{name}: {told.failed(measure, name)}")
                continue
            value = told.middle(measure, name)
            if value is None:
                absent.append(f"{name}: n/a, {found[name].get('cannot', 'not measured')}")
                continue
            ratio = f"{best[line] / value:.2f}" if best[line] and value else "—"
            cells = [f"**{name}**" if told.lanes[name]["peer"] == "gaveta" else name,
                     seconds(told.middle(measure, name, "seconds")), ratio]
            if any(flushed.values()):
                beside = flushed[line] if told.lanes[name]["durable"] else None
                cells.append(f"{beside / value:.2f}" if beside and value else "—")
            cells += [tell(told.middle(measure, name, key), MORE[key][1]) for key in more]
            cells += [tell(told.middle(measure, name, key), as_text) for key, _, as_text in COSTS]
            rows.append([line, *cells, str(len(found[name]["rounds"]))])
            commands.append(f"    {name:16} {found[name]['command']}")
    out = ["| line | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    out += ["| " + " | ".join(row) + " |" for row in rows]
    if commands:
        out += ["", *commands]
    if absent:
        out += ["", *(f"- {why}" for why in absent)]
    return out


def tell(value, as_text):
    return "—" if value is None else as_text(value)
