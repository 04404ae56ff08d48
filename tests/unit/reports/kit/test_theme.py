import pytest

from hpsearch.reports.kit import theme

INK = [theme.INK, theme.MUTED, theme.BLUE, theme.RED, theme.GREEN]
MARKS = [colour for colour, _ in theme.STATES.values()] + list(theme.CATEGORIES)
SCALE = [i / 20 for i in range(21)]


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    """WCAG 2 contrast ratio."""
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", INK + MARKS)
def test_text_and_marks_can_be_read_on_light_and_dark(colour):
    partners = theme.dark_partners()
    assert contrast(colour, theme.PAPER) >= 4.5
    assert contrast(partners[colour], partners[theme.PAPER]) >= 4.5


@pytest.mark.parametrize("position", SCALE)
def test_lines_of_any_value_can_be_seen_on_light_and_dark(position):
    partners, colour = theme.dark_partners(), theme.value_colour(position)
    assert contrast(colour, theme.PAPER) >= 3
    assert contrast(partners[colour], partners[theme.PAPER]) >= 3


@pytest.mark.parametrize("scale", [theme.value_colour, theme.score_colour])
def test_lightness_orders_a_scale_so_that_it_survives_without_colour(scale):
    partners = theme.dark_partners()
    for shown in ([scale(t) for t in SCALE], [partners[scale(t)] for t in SCALE]):
        values = [luminance(colour) for colour in shown]
        assert values in (sorted(values), sorted(values, reverse=True))


def test_every_state_has_a_symbol_of_its_own():
    final = [theme.STATES[state] for state in theme.STATES if state.finished]
    assert len({symbol for _, symbol in final}) == len({colour for colour, _ in final}) == len(final)


def test_positions_outside_the_scale_are_held():
    assert theme.value_colour(-1) == theme.value_colour(0)
    assert theme.value_colour(2) == theme.value_colour(1)
