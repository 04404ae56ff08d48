"""Tables in LaTeX and Markdown: what stands in them, and that a compiler takes them."""

import re

import pytest

from hpsearch.base.types import TrialState
from hpsearch.reports.kit.cells import Cell
from hpsearch.reports.kit.latex import MOST, latex_file, latex_table, latex_text
from hpsearch.reports.kit.markdown import aligned_table, markdown_file
from hpsearch.reports.kit.tables import Row, Section, Table, as_table

HOSTILE = r"""a_b & 50% of $x^2$ #1 {y} ~z \cmd <tag> "q" | [64] * 'é' --flag"""


def section(rows, headings=("name", "score"), best=None):
    table = Table(
        headings,
        tuple(Row(tuple(cells), TrialState.COMPLETE, place == best) for place, cells in enumerate(rows)),
        len(rows),
    )
    return Section("Arms & levels", "Mean over 5 % of seeds.", table)


def arms(best=None):
    return section([(Cell("a_1"), Cell("0.96 ± 0.01", 0.96)), (Cell("b"), Cell("−0.5", -0.5))], best=best)


def structure(text):
    """Rows of every table of LaTeX as lists of cells; raises where braces, environments or columns do not match."""
    text = re.sub(r"(?<!\\)%.*", "", text)
    bare = re.sub(r"\\[\\{}&%$#_]", lambda found: "  " if found[0] != r"\\" else r"\\", text)
    depth = 0
    for character in bare.replace(r"\\", "  "):
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    stack = []
    for verb, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        assert verb == "begin" or stack.pop() == name
        if verb == "begin":
            stack.append(name)
    assert not stack
    assert bare.count("$") % 2 == 0
    found = []
    for columns, body in re.findall(
        r"\\begin\{(?:tabular|longtable)\}\{((?:[lr]|p\{[\d.]+\\linewidth\})+)\}(.*?)\\end\{", text, re.S
    ):
        number = len(re.findall(r"[lr](?![\w}])|[lr](?=[lrp])|p\{[^}]*\}", re.sub(r"\\linewidth", "", columns)))
        rows = [row for row in re.findall(r"^(.*) \\\\$", body, re.M) if "caption" not in row]
        cells = [re.split(r"(?<!\\)&", row) for row in rows]
        assert {len(row) for row in cells} == {number}, columns
        found.append([[cell.strip() for cell in row] for row in cells])
    return found


def test_special_characters_are_escaped_once_and_a_name_is_found_again():
    text = latex_text(HOSTILE)
    for plain in ("_", "&", "%", "#"):
        assert not re.search(rf"(?<!\\){plain}", text), plain
    assert r"\textbackslash{}cmd" in text and r"\textasciitilde{}z" in text and r"x\textasciicircum{}2" in text
    assert r"\{y\}" in text and "{[}64{]}" in text and "-{}-flag" in text and "é" in text
    assert latex_text("a\nb") == "a b"


def test_signs_are_set_in_maths():
    assert latex_text("−0.5 ± 0.1 × 2, 5–6 “x”") == r"$-$0.5 $\pm$ 0.1 $\times$ 2, 5--6 ``x''"


def test_a_table_holds_every_cell_under_its_heading_with_numbers_to_the_right():
    text = latex_table(arms(), "arms")
    assert structure(text) == [[["name", "score"], [r"a\_1", r"0.96 $\pm$ 0.01"], ["b", "$-$0.5"]]]
    assert r"\begin{tabular}{lr}" in text
    assert r"\caption{Arms \& levels. Mean over 5 \% of seeds.}\label{tab:arms}" in text
    assert text.index("toprule") < text.index("name") < text.index("midrule") < text.index("a\\_1")
    assert text.index("$-$0.5") < text.index("bottomrule")


def test_the_source_lines_up():
    lines = [line for line in latex_table(arms(), "arms").splitlines() if " & " in line]
    assert len({line.index(" & ") for line in lines}) == 1
    assert len({len(line) for line in lines}) == 1


def test_the_best_row_is_bold_and_no_other():
    (rows,) = structure(latex_table(arms(best=1), "arms"))
    assert rows[2] == [r"\textbf{b}", r"\textbf{$-$0.5}"]
    assert "textbf" not in "".join([*rows[0], *rows[1]])
    assert "**b**" in aligned_table(arms(best=1).table) and "**a" not in aligned_table(arms(best=1).table)


@pytest.mark.parametrize("rows", [MOST, MOST + 1])
def test_a_table_longer_than_a_page_goes_on_on_the_next_one_and_none_is_cut(rows):
    text = latex_table(section([(Cell(f"arm {i}"), Cell(str(i), i)) for i in range(rows)]), "arms")
    assert ("longtable" in text) == (rows > MOST)
    (found,) = structure(text)
    assert [row[0] for row in found if row[0] != "name"] == [f"arm {i}" for i in range(rows)]


def test_long_words_are_broken_and_a_wide_table_is_made_smaller():
    words = section([(Cell("word " * 30), Cell("1", 1))])
    assert re.search(r"\\begin\{tabular\}\{p\{0\.\d\d\\linewidth\}r\}", latex_table(words, "x"))
    headings = tuple(f"column {i}" for i in range(12))
    wide = latex_table(section([tuple(Cell("1", 1) for _ in headings)], headings), "x")
    assert r"\resizebox{\linewidth}{!}{%" in wide and r"\resizebox" not in latex_table(arms(), "x")
    structure(wide)


def test_a_cell_that_begins_with_a_bracket_is_no_option_of_the_row_before():
    (rows,) = structure(latex_table(section([(Cell("[64]"), Cell("1", 1)), (Cell("*"), Cell("2", 2))]), "x"))
    assert [row[0] for row in rows] == ["name", "{[}64{]}", "{*}"]


def test_files_hold_every_table_and_name_what_they_need():
    sections = [arms(), Section("Costs", "", as_table(("arm",), [(Cell(HOSTILE),)]))]
    text = latex_file("my_study", sections)
    assert text.startswith("% Tables of my_study. In the preamble: \\usepackage{booktabs,longtable,graphicx}\n")
    assert len(structure(text)) == 2
    assert "tab:arms-levels" in text and "tab:costs" in text
    markdown = markdown_file("my_study", sections)
    assert markdown.startswith("# Tables of my\\_study\n\n## Arms &amp; levels\n\nMean over 5 % of seeds.\n\n| name")
    assert markdown.count("\n## ") == 2


def test_markdown_lines_up_with_numbers_to_the_right_and_escapes():
    lines = aligned_table(arms().table).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert re.fullmatch(r"\| -+ \| -+: \|", lines[1])
    assert lines[2].startswith(r"| a\_1") and lines[3].endswith(" −0.5 |")
    row = aligned_table(as_table(("x",), [(Cell(HOSTILE),)])).splitlines()[2]
    assert row.count("|") == 2 and "&amp;" in row and r"\*" in row and r"a\_b" in row and "&lt;tag&gt;" in row
