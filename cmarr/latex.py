"""Tables in the paper's layout as LaTeX for `booktabs`: best score of a row in bold, second best underlined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cmarr.aggregate import ROWS, Row, Table, Values, facts, named, number, spread, statements
from cmarr.markdown import CONTENT
from cmarr.ranks import METRICS, Ranks, places

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip
HEAD = "% needs \\usepackage{booktabs}; a table for each corpus"


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def section(
    corpus: str,
    systems: Mapping[str, str],
    table: Table,
    scores: Sequence[Row],
    ranks: Ranks,
    last: Sequence[Sequence[str]] = (),
    below: Sequence[str] = (),
) -> list[str]:
    """Lines of one corpus as `cmarr.markdown.section` has them, and the ranks that say what is best."""
    own = [row for row in scores if row["corpus"] == corpus and row["system"] in systems]
    about = facts(own)
    body = []
    for condition in ROWS:
        marked = {metric: places(ranks, condition, metric) for metric in METRICS}
        cells = [
            " / ".join(
                entry(getattr(table[corpus, system, condition], metric), ranks[system, condition, metric], where)
                for metric, where in marked.items()
            )
            for system in systems
        ]
        body.append(line([escape(named(condition)), *cells]))
    title = f"{corpus} ({about['origin']}): {CONTENT}."
    notes = [f"Note: {about['notes']}."] * bool(about["notes"])
    return [
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{escape(title)}}}",
        rf"\label{{tab:table2-{corpus.replace('_', '-')}}}",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{3pt}",
        rf"\begin{{tabular}}{{l{'c' * len(systems)}}}",
        r"\toprule",
        line(map(escape, ("available", *systems.values()))),
        r"\midrule",
        *body,
        *([r"\midrule", *(line(map(escape, row)) for row in last)] if last else []),
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\medskip",
        r"\parbox{0.95\linewidth}{%",
        *map(escape, [*notes, *statements(own), *below]),
        "}",
        r"\end{table*}",
        "",
    ]


def line(cells: Iterable[str]) -> str:
    """A row of a table."""
    return " & ".join(cells) + r" \\"


def entry(values: Values, rank: float, marked: tuple[float, float]) -> str:
    """Mean, marked where its rank is that of the best or second best, and deviation over folds if there is one."""
    mean, deviation = number(float(values.array.mean())), number(spread(values.array))
    for place, command in zip(marked, ("textbf", "underline"), strict=True):
        if rank == place:
            mean = rf"\{command}{{{mean}}}"
    return mean + (rf"$_{{\pm{deviation}}}$" if deviation else "")
