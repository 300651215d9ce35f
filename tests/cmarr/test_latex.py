from __future__ import annotations

import re

import pytest

from cmarr.aggregate import FACTS, ROWS, Cell, Table, Values, named
from cmarr.latex import HEAD, escape, section
from cmarr.ranks import mean_ranks, ranks

SYSTEMS = ("cm_arr", "cm_arr-beta-0.5", "mmin")
MEANS = {"cm_arr": (70.0, 61.0), "cm_arr-beta-0.5": (68.0, 62.0), "mmin": (68.001, 60.0)}


def lines(systems: tuple[str, ...] = SYSTEMS, folds: int = 2) -> list[str]:
    table: Table = {}
    for system in systems:
        values = [Values({str(fold): mean + fold for fold in range(folds)}, {}) for mean in MEANS[system]]
        table |= {("my_corpus", system, condition): Cell(*values) for condition in ROWS}
    base = dict.fromkeys(FACTS, "x") | {"corpus": "my_corpus", "origin": "synthetic", "seed": "1"}
    base |= {"speech": "facebook/wav2vec2_base #1", "notes": "50 % of {faces} & $more"}
    scores = [base | {"system": system, "fold": str(fold)} for system in systems for fold in range(folds)]
    found = ranks(table, "my_corpus", systems)
    heads = {system: system for system in systems}
    return section("my_corpus", heads, table, scores, found, mean_ranks(found, systems), ["p_1 < 0.05 ± ~^\\"])


def test_special_letters_are_printed_as_they_are() -> None:
    assert escape("a_b & 5 % #1 {x} $ <>") == r"a\_b \& 5 \% \#1 \{x\} \$ \textless{}\textgreater{}"
    assert escape("\\ ~ ^ ±") == r"\textbackslash{} \textasciitilde{} \textasciicircum{} $\pm$"


def test_a_table_is_what_booktabs_wants() -> None:
    text = "\n".join([HEAD, *lines()])
    assert re.findall(r"\\(\w+rule)", text) == ["toprule", "midrule", "midrule", "bottomrule"]
    assert r"\begin{tabular}{lccc}" in text
    assert r"\label{tab:table2-my-corpus}" in text
    rows = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert len(rows) == 1 + len(ROWS) + 1
    assert {len(row.split(" & ")) for row in rows} == {1 + len(SYSTEMS)}
    assert rows[0] == r"available & cm\_arr & cm\_arr-beta-0.5 & mmin \\"
    assert [row.split(" & ")[0] for row in rows[1:-1]] == [named(condition) for condition in ROWS]
    assert rows[-1] == r"mean rank & 1.00 / 2.00 & 2.50 / 1.00 & 2.50 / 3.00 \\"
    begun, ended = (sorted(re.findall(rf"\\{word}\{{(\S+?)\}}", text)) for word in ("begin", "end"))
    assert begun == ended == ["table*", "tabular"]
    bare = re.sub(r"\\[{}%$&#_\\]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    body = re.sub(r"\$[^$]*\$", "", bare)
    assert not re.search(r"[#^~]", body)
    assert "_" not in body
    assert [line for line in body.splitlines() if "%" in line] == [
        HEAD, r"\parbox{0.95\linewidth}{%"
    ]  # fmt: skip
    assert "±" not in text


def test_best_scores_are_bold_and_second_best_underlined() -> None:
    (row,) = (line for line in lines() if line.startswith("v,t &"))
    assert row == (
        r"v,t & \textbf{70.50}$_{\pm0.71}$ / \underline{61.50}$_{\pm0.71}$ "
        r"& \underline{68.50}$_{\pm0.71}$ / \textbf{62.50}$_{\pm0.71}$ "
        r"& \underline{68.50}$_{\pm0.71}$ / 60.50$_{\pm0.71}$ \\"
    )


def test_one_system_has_no_marks_and_one_fold_no_deviation() -> None:
    found = "\n".join(lines(SYSTEMS[:1], folds=1))
    assert "t & 70.00 / 61.00 \\\\" in found
    assert not re.search("textbf|underline|mean rank|_{", found)
    assert found.count(r"\midrule") == 1


@pytest.mark.parametrize(
    "words",
    [
        r"\caption{my\_corpus (synthetic): WAR / UAR in percent, mean $\pm$ standard deviation over folds.}",
        r"Note: 50 \% of \{faces\} \& \$more.",
        r"speech by facebook/wav2vec2\_base \#1, 2 folds, 1 seed. Scores that chose the epoch: x.",
        "The data are synthetic: the figures say nothing about the real corpus.",
        r"p\_1 \textless{} 0.05 $\pm$ \textasciitilde{}\textasciicircum{}\textbackslash{}",
    ],
)
def test_what_markdown_says_below_a_table_is_below_this_one(words: str) -> None:
    assert words in "\n".join(lines())
