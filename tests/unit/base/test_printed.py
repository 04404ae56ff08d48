"""Text of a stranger's on its way to a terminal, to Markdown and into a spreadsheet."""

import io
import unicodedata

import pytest

from hpsearch.base.markdown import markdown_text
from hpsearch.base.printed import on_one_line, printable, say, visible

SHOWN = {
    "\x1b[2J\x1b]0;title\x07": r"\x1b[2J\x1b]0;title\x07",
    "done\rfailed": r"done\rfailed",
    "\x9b31m\x7f": r"\x9b31m\x7f",
    "abc\u202edcba": r"abc\u202edcba",
    "one\u2028two": r"one\u2028two",
    "half \udc80": r"half \udc80",
    "a\tb\nc ±−é你": "a\tb\nc ±−é你",
}


@pytest.mark.parametrize("text", SHOWN)
def test_what_a_terminal_would_obey_is_seen(text):
    assert visible(text) == SHOWN[text]
    printed = io.StringIO()
    say(text, printed)
    assert printed.getvalue() == f"{SHOWN[text]}\n"


def test_every_control_character_but_line_feed_and_tab_is_seen():
    obeyed = {chr(code) for code in range(0x3000) if unicodedata.category(chr(code)) in ("Cc", "Zl", "Zp")}
    assert {each for each in obeyed if visible(each) == each} == {"\n", "\t"}


def test_a_cell_of_a_printed_table_is_one_line():
    assert on_one_line("name\n  fake row\tx\x1b") == r"name\n  fake row\tx\x1b"


def test_nothing_is_printed_with_a_secret():
    assert printable("see http://me:S3CRET@host\x07") == r"see http://me:***@host\x07"


MARKDOWN = {
    "<script>alert(1)</script>": "&lt;script&gt;alert(1)&lt;/script&gt;",
    "[click](javascript:alert(1))": r"\[click\](javascript:alert(1))",
    "![](http://a/b.png)": r"!\[\](http://a/b.png)",
    "&lt;b> *x*_y_": r"&amp;lt;b&gt; \*x\*\_y\_",
    "`code` | $math$": r"&#96;code&#96; &#124; \$math\$",
    "one\n# two\x1b": r"one # two\x1b",
}


@pytest.mark.parametrize("text", MARKDOWN)
def test_text_in_markdown_is_text(text):
    assert markdown_text(text) == MARKDOWN[text]
