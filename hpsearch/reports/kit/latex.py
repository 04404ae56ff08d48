"""Tables in LaTeX, to be pasted into a report; they need the packages booktabs, longtable and graphicx."""

import re
from collections.abc import Callable, Sequence

from hpsearch.base.printed import visible
from hpsearch.reports.kit.tables import Row, Section

PACKAGES = ("booktabs", "longtable", "graphicx")
"""What a document has to load: ``\\usepackage{booktabs,longtable,graphicx}``."""
WIDE = 90
"""Characters of a row beyond which a table without broken lines is made smaller, as wide as a line."""
LONG = 30
"""Characters beyond which a column of words is broken into lines."""
MOST = 40
"""Rows beyond which a table is a ``longtable``, which continues on the next page."""
WIDTH = 0.9
"""Share of a line's width that the columns that are broken into lines have together."""
_HYPHEN = "\x00"  # one before another, which together would be a dash
_COMMANDS = {
    _HYPHEN: "-{}",
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{"[": "{[}", "]": "{]}", "*": "{*}"},  # behind the end of a row they would be read as its options
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"},
    **{"−": "$-$", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "≤": r"$\le$", "≥": r"$\ge$", "≈": r"$\approx$"},
    **{"–": "--", "—": "---", "…": r"\ldots{}", "“": "``", "”": "''", "’": "'", "‘": "`"},
    **{
        "→": r"$\rightarrow$",
        "√": r"$\surd$",
        "∞": r"$\infty$",
        "²": r"\textsuperscript{2}",
        "³": r"\textsuperscript{3}",
    },
    **{"α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "ε": r"$\varepsilon$", "λ": r"$\lambda$"},
    **{"μ": r"$\mu$", "σ": r"$\sigma$", "ω": r"$\omega$", "η": r"$\eta$", "Δ": r"$\Delta$", "µ": r"$\mu$"},
    **{"✓": "+", "✗": "--", "\u00a0": "~", "\u202f": r"\,"},
}
_TABLE = str.maketrans(_COMMANDS)


def latex_text(text: str) -> str:
    """Return a text that LaTeX sets as it is: on one line, its special characters escaped, mathematical signs in maths.

    Letters of other alphabets stay, which LaTeX of 2018 or later, XeLaTeX and LuaLaTeX read.
    """
    return re.sub("-(?=-)", _HYPHEN, visible(" ".join(text.split()))).translate(_TABLE)


def latex_table(section: Section, label: str) -> str:
    """Return a table of a report in LaTeX.

    Args:
        section: the table; the row of the best is bold.
        label: by which a text refers to it, ``tab:LABEL``.

    Returns:
        A ``table`` with a ``tabular`` in it, of more than `MOST` rows a ``longtable``: the caption is its title and how
        to read it, columns of numbers are aligned to the right, long ones of words are broken into lines;
        what is wider than a line is made smaller.
    """
    table = section.table
    head = [latex_text(heading) for heading in table.headings]
    rows = [_cells(row) for row in table.rows]
    widths = [max(len(cells[place]) for cells in [head, *rows]) for place in range(len(head))]
    lines = [f"{_padded(cells, widths, table.numeric)} \\\\" for cells in [head, *rows]]
    caption = f"\\caption{{{latex_text(f'{section.title}. {section.aid}'.strip())}}}\\label{{tab:{label}}}"
    columns = "".join(_columns(section))
    if len(rows) > MOST:
        top = [f"\\begin{{longtable}}{{{columns}}}", f"{caption} \\\\", "\\toprule", lines[0], "\\midrule"]
        again = ["\\endfirsthead", "\\toprule", lines[0], "\\midrule", "\\endhead", "\\bottomrule", "\\endfoot"]
        return "\n".join([*top, *again, *lines[1:], "\\end{longtable}"])
    whole = [f"\\begin{{tabular}}{{{columns}}}", "\\toprule", lines[0], "\\midrule", *lines[1:], "\\bottomrule"]
    whole.append("\\end{tabular}")
    if sum(widths) > WIDE and "p{" not in columns:
        whole = ["\\resizebox{\\linewidth}{!}{%", *whole, "}"]
    return "\n".join(["\\begin{table}", "\\centering", caption, *whole, "\\end{table}"])


def latex_file(name: str, sections: Sequence[Section]) -> str:
    """Return the tables of a report as a file that ``\\input`` takes, or from which they are copied.

    Args:
        name: of the study.
        sections: its tables.
    """
    preamble = [f"% Tables of {' '.join(name.split())}. In the preamble: \\usepackage{{{','.join(PACKAGES)}}}"]
    return "\n\n".join([*preamble, *(latex_table(each, each.name) for each in sections)]) + "\n"


def _cells(row: Row) -> list[str]:
    texts = [latex_text(cell.text) for cell in row.cells]
    return [f"\\textbf{{{text}}}" if row.best and text else text for text in texts]


def _padded(cells: Sequence[str], widths: Sequence[int], numeric: Callable[[int], bool]) -> str:
    """Return cells with their separators, each column as wide as its widest cell, so that the source lines up too."""
    placed = (
        text.rjust(width) if numeric(place) else text.ljust(width)
        for place, (text, width) in enumerate(zip(cells, widths, strict=True))
    )
    return " & ".join(placed).rstrip()


def _columns(section: Section) -> list[str]:
    """Return the kind of each column: ``r`` of numbers, ``l`` of words, ``p`` of long words."""
    table = section.table
    longest = [
        max((len(row.cells[place].text) for row in table.rows), default=0) for place in range(len(table.headings))
    ]
    long = {place for place, size in enumerate(longest) if size > LONG and not table.numeric(place)}
    whole = sum(longest[place] for place in long)
    width = WIDTH * whole / (whole + sum(size for place, size in enumerate(longest) if place not in long) or 1)
    kinds = []
    for place, size in enumerate(longest):
        if place in long:
            kinds.append(f"p{{{max(width * size / whole, 0.1):.2f}\\linewidth}}")
        else:
            kinds.append("r" if table.numeric(place) else "l")
    return kinds
