"""A small grammar of what reports say: every form of a clause, and the judge that holds it against the truth.

A text is read from left to right; whatever no form takes is unknown, so that a new sentence needs a form here, and with
it a judge, or a place among those that claim nothing.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.benchmarks import answer_forms as answers
from tests.benchmarks import judges
from tests.benchmarks.judges import Subject

Judge = Callable[[dict[str, str], Subject], bool | tuple[float, float] | None]


@dataclass(frozen=True)
class Claim:
    """One clause as it was read.

    Attributes:
        kind: of the claim.
        text: the clause.
        holds: whether it is true; None where it claims nothing that could be false.
        pair: of an estimate what is said and what is true, which are compared over many draws.
    """

    kind: str
    text: str
    holds: bool | None = None
    pair: tuple[float, float] | None = None


@dataclass(frozen=True)
class Form:
    """How a kind of clause is written, and what makes it true; no judge: it claims nothing that could be false."""

    kind: str
    pattern: re.Pattern[str]
    judge: Judge | None


class UnknownSentence(ValueError):
    """A clause that no form takes."""


NUMBER, METRIC = r"[−+]?\d+(?:\.\d+)?(?:e[−+-]?\d+)?", r"[\w/]+"
TRIED = r"\d+ points(?:, \d+ trained to the end,)?"
AS_GOOD = r"(?:may be as good|(?:is|are) equally good within <N>|(?:is|are) as good within the margin)"
INTERVAL = r"(?P<low><N>)(?:–| to )(?P<high><N>)"


def _form(kind: str, pattern: str, judge: Judge | None = None) -> Form:
    for name, meant in (("TRIED", TRIED), ("I", INTERVAL), ("N", NUMBER), ("M", METRIC)):
        pattern = pattern.replace(f"<{name}>", meant)
    return Form(kind, re.compile(pattern, re.S), judge)


def _plain(kind: str, *patterns: str) -> list[Form]:
    return [_form(kind, pattern) for pattern in patterns]


HEADLINE = [
    *_plain(
        "fresh seeds",
        r"it was chosen by seed \d+, as (?:the|one of the) best of \d+ points, at <N>",
        r"none of the \d+ best points came to its end with every one of \d+ fresh seeds",
        r"of the \d+ so trained ",
        r"Over fresh seeds:$",
    ),
    _form(
        "best mean",
        r"(?:Of <TRIED> )?(?P<setting>[^;:]+?) has the (?:highest|lowest) <M>(?: over \d+ fresh seeds)?:",
        judges.best_mean,
    ),
    _form("best mean", r"(?P<setting>[^;]+?) has the (?:highest|lowest) mean <M>,", judges.best_mean),
    *_plain("only setting", r"(?P<setting>The one setting) that was run gives: <M>"),
    _form(
        "interval of a point",
        r"<N>(?: ± <N>)? \(mean ± sd(?: of)?,? n = \d+(?: seeds)?, 95 % (?:t |BCa )?interval <I>"
        r"(?:(?P<samples> over seeds and [\d,]+ [\w ]+)|,? on these [\d,]+ [\w ]+| over seeds, [\w ,]+)?"
        r"(?:, rather too wide)?\)",
        judges.covers,
    ),
    _form(
        "interval over folds",
        r"<N> ± <N> \(mean ± sd of n = \d+ runs of [^,]*, 95 % t interval <I>"
        r"(?: over the means of seeds| over folds, corrected for the samples that they share)\)",
        judges.covers,
    ),
    *_plain(
        "no interval",
        r"<N> ± <N> \(mean ± sd(?: of)?,? n = [^()]*(?:too few for an interval|no spread, so no interval)\)",
        r"<N> \((?:the seeds change nothing: n = 1|n = 1 seed), so no (?:spread and no )?interval (?:can be given|is "
        r"claimed)\)",
    ),
    _form("set of best", r"every other (?:value|point|arm) (?:that can be ranked )?is worse", judges.others_worse),
    _form("set of best", rf"(?P<count>\d+) others \(see the ranking\) {AS_GOOD}", judges.count),
    _form("set of best", r"May be as good: (?P<count>\d+) of the \d+ others \(see the ranking\)", judges.count),
    _form(
        "set of best",
        r"(?:May be as good|As good within the margin): (?P<arms>[^:]*?)(?=\. (?:Against|It )|\.?$)",
        judges.arms,
    ),
    *_plain("not ranked", r"[Ww]hether others are as good cannot be said"),
    _form("set of best", rf"(?P<low><N>) to (?P<high><N>) {AS_GOOD}", judges.span),
    _form("set of best", rf"(?P<count>\d+) other (?:value|point)s? {AS_GOOD}", judges.count),
    _form("set of best", rf"(?P<list>[\w.]+(?:(?:, | and )[\w.]+)*) {AS_GOOD}", judges.few),
    _form("set of best", rf"(?<=; )(?P<arms>\w[\w.]* [^():±]*?) {AS_GOOD}", judges.arms),
    *_plain("not ranked", r"it scatters too much over the seeds to be ranked"),
    _form("set of best", r"every other of the \d+ so trained (?:that can be ranked )?is worse", judges.others_worse),
]

RATES = [
    *_plain("along", r"along [\w. ]+, the rest as in the best point"),
    _form(
        "trains",
        r"every (?:seed|run) trains (?:over the whole range tried, |from )(?P<low><N>) to (?P<high><N>)",
        judges.trains_between,
    ),
    _form("trains", r"(?P<low><N>) to (?P<high><N>)(?:, all that was tried,)? train(?!s)", judges.trains_between),
    _form("trains", r"every (?:seed|run) trains only at (?P<low><N>)", judges.trains_between),
    _form("trains", r"only (?P<low><N>) trains", judges.trains_between),
    _form("trains", r"trains: [\w.]+ (?P<low><N>)(?: to (?P<high><N>))?$", judges.trains_between),
    _form("too slow", r"training is too slow (?:up to|at) (?P<high><N>)", judges.slow_up_to),
    _form(
        "edge of the rates",
        r"(?:\d+ of \d+ (?:seed|run)s? fails? at <N>|<N> fails|training fails)? ?\((?:(?:half of the (?:seed|run)s|"
        r"edge) (?:at|below) about "
        r"<N>, 95 % interval (?:(?P<low><N>) to (?P<high><N>)|(?P<from><N>) or more|up to (?P<to><N>))(?:; )?)+\)",
        judges.edge,
    ),
    *_plain("first that fails", r"\d+ of \d+ (?:seed|run)s? fails? at <N>", r"<N> fails"),
    *_plain("edge without interval", r"\((?:half of the (?:seed|run)s|edge) (?:at|below) about <N>\)"),
    _form(
        "edge of scattered points",
        r"training fails (?P<side>above|below) an? [\w ]+? of (?P<value><N>), roughly \(permutation p = <N>\)",
        judges.frontier,
    ),
    *_plain("none trains", r"No point trains: none does better than a constant prediction"),
    *_plain("some seeds train", r"Some seeds train and others do not, so that no mean is ranked:?"),
    _form(
        "share of seeds",
        r"(?P<setting>[^:;]+): \d+ of \d+ (?:seed|trial|run)s? (?:trains?|do better than chance)[^;]*(?:, \d+ "
        r"(?:stays? at chance|diverges?))*; the share "
        r"that (?:trains|does) is (?P<low><N>) to (?P<high><N>) % \(95 % Clopper-Pearson interval\)(?:; of the "
        r"reference \d+ of \d+ "
        r"trains? \(Fisher's p = <N>\))?(?:\. Its mean is not ranked)?", judges.share,
    ),
    *_plain("some seeds train", r"\d+ more"),
]  # fmt: skip

NO_ANSWER = _plain(
    "no answer",
    r"No answer: every trial is INFEASIBLE \(.*?\)$",
    r"No answer: every trial is INFEASIBLE \([^()]*(?:\([^()]*\))?[^()]*\)",
    r"No answer yet: no (?:point has|trial has|arm has) [^.]*",
)

OTHERS = [
    *_plain("front", r"The Pareto front of [^.]* holds \d+ of \d+ points"),
    *_plain(
        "pruning",
        r"Pruning stopped \d+ of \d+ trials? early and saved \d+ % of the epochs(?:; over the \d+ trials that "
        r"came to "
        r"their end, ranks after epoch \d+ and at the end correlate by <N> \(1: the same order\))?",
    ),
    _form(
        "what matters",
        r"What matters most is (?:the )?(?P<key>[\w. ]+?)(?: together)?: \d+ % \(95 % interval \d+–\d+ %\) of (?:the "
        r"variance over the ranges tried|what sets the best points apart)", judges.matters,
    ),
    _form(
        "what matters",
        r"How much each hyperparameter matters is not said \((?:[^()]|\([^()]*\))*\), but the score goes with "
        r"(?P<key>[\w. ]+?): [^;]*?permutation p = <N>",
        judges.matters,
    ),
    *_plain(
        "nothing said of what matters",
        r"Nothing is said of which hyperparameter matters: (?:[^()]|\([^()]*\))*?(?:p = <N>\)|\.$)",
    ),
]  # fmt: skip

CAVEATS = [
    _form("edge", r"The best [\w. ]+ lies at the (?P<side>low|high) edge of the values tried(?:, which was extended "
          r"[\w ]+ already)?: extend the search there", judges.can_extend),
    *_plain("extended", r"The range of [\w. ]+ was extended from [^;]*; points asked before could not lie beyond"),
    _form(
        "hardly searched",
        r"Only \d+ of \d+ points lie near the best \(within (?P<tolerance><N>): [^)]*\), so its region has "
        r"hardly been "
        r"searched; more points may find better ones", judges.hardly_searched,
    ),
    *_plain(
        "may be as good",
        r"May be as good as the best \(Tukey's comparison of all \d+ points over the (?:seed|run)s they share, family "
        r"error 5 "
        r"%[^()]*\): [^:]*?(?=\. Too variable|\. Equally|\.$)",
        r"\d+ other points? ha(?:s|ve) exactly the same mean",
    ),
    _form(
        "equally good",
        r"Equally good within (?P<margin><N>) \([^()]*\): (?P<named>[^:]*?)(?: and (?P<more>\d+) more)?(?=\. "
        r"Too variable|\.$)",
        judges.equally_good,
    ),
    *_plain("not ranked", r"Too variable to be ranked \([^)]*\): .*?(?=\.$)"),
    _form(
        "optimism", r"The best of <TRIED> was picked by the same <M> that is quoted, so it looks better than "
                    r"it is, "
        r"by about (?P<size><N>) on average(?:, which its interval allows for)?", judges.optimism,
    ),
    *_plain("picked", r"The best of <TRIED> was picked by the same <M> that is quoted, so it (?:looks|may look) better "
                      r"than it is"),
    _form(
        "by how much too good",
        r"(?:It|The best of seed \d+, .*?,) was chosen at (?P<at><N>) on seed \d+, as the best of \d+ points, and has "
        r"<N> over the fresh seeds: (?:<N> too good \(|a difference of <N>(?:, which may be chance)? \(too good )by "
        r"<I>, 95 % t interval over the fresh seeds\)", judges.too_good,
    ),
    *_plain("fresh seeds", r"Not COMPLETE over the fresh seeds: .*?(?=\.$|\. Not all)",
            r"Not all that were chosen were trained over the fresh seeds: .*?(?=\.$)",
            r"Its best points were not trained over fresh seeds \(study\.confirm = \d+\): .*?(?=\.$)"),
    *_plain("one seed", r"One seed: another one may give another score; repeat with study.seeds=3 or more",
            r"One seed per point: differences between points may be chance; repeat with "
                        r"study.seeds=3 or more"),
    *_plain(
        "spread",
        r"The spread is over \d+ (?:seeds?|runs of [\w ×]*)(?:: an interval needs 3|; the t interval takes their "
        r"scores as independent and roughly normal, and leaves out that other (?:validation )?samples would "
        r"give other "
        r"scores|; the interval is for seeds and samples like these, and rather too wide: what each seed got of "
        r"every "
        r"sample is not kept, so the samples count as if every seed had drawn its own|; the interval is over "
        r"[^:]*: it "
        r"is for others like these)?",
    ),
    *_plain(
        "seeds change nothing",
        r"The seeds change nothing(?: in [^:]*)?: (?:all trials of a point measured the same at every epoch, so "
        r"that they "
        r"count once(?:\. Draw from the trial's seed, or save the time by study.seeds=1)?|n = 1 there, and no "
        r"interval and "
        r"no test is claimed)",
    ),
    *_plain("fixed", r"(?:Fixed, not searched|Fixed for all arms): .*?; (?:another setting|with other settings) "
                     r"of these "
                     r"[\w ]+"),
    *_plain(
        "not finished",
        r"The study has not ended: \d+ trials? still to finish",
        r"\d+ trials? did not come to an end; with more budget the same command goes on with them",
        r"\d+ trials? FAILED and counts? for nothing(?: and \d+ trials? stopped early (?:is|are) not compared)?",
        r"\d+ trials? stopped early (?:is|are) not compared",
        r"(?:Trial \S+ failed|\d+ trials failed alike)[^:]*: .*$",
    ),
    *_plain("weights", r"(?:Scores|In \d+ of \d+ trials scores) and validation losses are of averaged weights[^;]*; "
                       r"training losses are of those that are trained"),
]  # fmt: skip

ARMS = [
    _form(
        "difference of a picked arm",
        r"[Aa]gainst the reference (?P<reference>[^;]+?) the paired difference is <N> \(95 % (?:t|BCa) interval "
        r"for one "
        r"comparison <I>\)(?:, Holm-adjusted p = <N>)?", judges.difference,
    ),
    *_plain("difference", r"[Aa]gainst the reference (?P<reference>[^;]+?) the paired difference is <N>"),
    *_plain(
        "verdict of the answer",
        r"(?:better|worse|the two may be equal)(?=\.|$)",
        r"undecided: drift \(by the last evaluations alone it is: [\w ]+\)",
        r"It is the reference: of \d+ other arms? [^()]*\(Holm-adjusted, 5 %\)",
        r"Of \d+ other arms? [^()]*\(Holm-adjusted, 5 %\)",
        r"every seed gave the same difference, so there is no spread to test against",
        r"(?:\d+ of \d+ trials of [^;]*?)do(?:es)? not train, so this is the difference given that both train, "
        r"and no test of "
        r"it",
        r"(?:the seeds change nothing in [^:]*: n = 1|one seed in common says nothing of the spread), so no "
        r"interval is "
        r"claimed",
        r"It cannot be compared with the reference [^:]*: (?:.* has no finished trial|the two have no seed in "
        r"common)",
        r"Nothing is compared, for the reference has no trial",
    ),
    _form(
        "analysis of variance",
        r"The analysis of variance finds an effect of (?P<factors>.*?), though no arm differs from "
        r"the reference after Holm's adjustment: .*", judges.effect,
    ),
    *_plain("analysis of variance", r"\d+ arms? differs? from the reference after Holm's adjustment, but .*"),
    _form("verdict of an arm", r"VERDICT (?P<arm>.*): (?P<verdict>[\w ]+)$", judges.verdict),
    _form("claim", r"CLAIM (?P<claim>\d+): (?P<verdict>[\w ]+)$", judges.claimed),
    *_plain("claim told", r"claim \d+ .*$", r"[?✓✗] \d+\. .*$"),
    *_plain(
        "of arms",
        r"No trial of .* finished \([^()]*\): it is in no comparison",
        r"No nuisance hyperparameter is named: every arm was run at the same fixed settings, tuned for none",
        r"Held, not retuned: .*",
        r"Settings tuned for each arm: .*",
        r"The arms were not tuned with equal effort.*",
        r"The best [\w. ]+ of .*, is the (?:lowest|highest) tried: it may do better beyond",
        r"Differences are over .*, (?:of )?\d+ pairs (?:at least|each); t intervals take them as roughly normal",
        r"One seed per arm says nothing of the spread: no interval and no test is claimed; set study.seeds=5",
        r"The arms have unequal seeds \([^)]*\): .*",
        r"What may be equal need not be: .*",
        r"No main effects are computed: .*",
    ),
]  # fmt: skip

STUDIES = [
    _form(
        "which study is better",
        r"(?P<better>[\w.]+) is better than [\w.]+: best <M> .*?, a difference of <N> \(95 % interval <N> to "
        r"<N>, [^)]*\)",
        judges.study_better,
    ),
    *_plain(
        "of two studies",
        r"The two may be equal, as far as these seeds show: best <M> .*?, a difference of [^()]* \([^()]*\)",
        r"The two studies cannot be compared: .*",
        r"Best <M>: .* no interval can be given",
        r"Each best point was picked by the same <M> that is quoted and looks better than it is, .*",
        r"The two were trained (?:on other data|by other code).*",
        r"They share too few seeds, so that the difference cannot be taken seed by seed",
        r"Their scores are not made alike: .*",
        r"Of \d+ arms? that both have, in .*\(paired by seed, Holm-adjusted, 5 %\)",
        r"Studies .* side by side",
        r"The difference is over .*: on others the two may compare otherwise",
        r"Difference, second − first .*",
    ),
]

STATES = [
    _form("trials by state", r"trials: (?:(?P<count>\d+) (?P<state>\w+)(?:, )?)+$", judges.state_count),
    *_plain(
        "what it took",
        r"\d+ trials?(?: of the \w+)?, [\d.]+ .*? added up.*",
        r"Nothing has been trained yet",
        r"(?:Study|Ablation) \S+(?: ended .*)?$",
        r"(?:arms: pass|best: .*|trials: none)$",
    ),
    *_plain(
        "key number",
        r"(?:Best|[\w. ]+ that trains|Trials|Training time|Pareto front|Reference|Arms|Nuisance) .*$",
    ),
    *_plain("stage", r"A stage of \S+"),
    *_plain("score", r"A trial.s score is .*"),
    *_plain("command", r"(?:Run or continue|Open its trials|Write (?:this|its)|Train the best) .*$"),
]

EXPLANATIONS = _plain(
    "how to read it",
    r"\d+ arms? \(.*\), each trained over .*",
    r"Each (?:large )?dot is .*",
    r"The best points of the search, trained again over seeds that nothing was chosen by",
    r"Mark(?:s|ers)? .*",
    r"One (?:row|line|mark|grey|paragraph) .*",
    r"(?:Of the [\w ]+, in evaluation mode: dropout|The training part minus|Where the training part|To the target)\b.*",
    r"(?:Means?|Medians of|Paired by seed|Small marks|Sorted by any|Diamonds|Analysis of variance|A search on "
    r"seeds|Differences from the reference|Arm minus reference|Training alone|Dotted|The order of "
    r"the means|The search of each arm|A line per momentum|What these data say|What is said|The best of a "
    r"search|The arms "
    r"that both|The best point of each|The interval of an accuracy|A dash stands|Nothing: the config).*",
    r"`(?:report\.html|trials\.csv)` .*",
    r"The \d+ best of \d+ points; all are in `trials\.csv`\.",
)

ANSWERS = [
    *_plain("topic of an answer", rf"(?:{'|'.join(answers.TOPICS)})(?=\. )"),
    *_plain(
        "what an answer is about",
        r"Against [^;:]+?, (?P<about>test) \w+ of the [\w ]+, paired, Holm-adjusted at 5 %",
        r"(?P<about>Against) [^;:]+?, paired, Holm-adjusted at 5 %",
        r"(?P<about>Training minus (?:test|validation)) \w+ is",
        r"(?P<about>At equal training) [\w ]+ \(<N> in evaluation mode, the lowest that a trial ends with\), <M> is",
        r"Of the (?P<about>final weights|weights[\w ]+), in evaluation mode \(no dropout, no augmentation\), mean \w+",
        r"(?P<about>Epochs|Updates|Seconds) to <M> <N>, median over the seeds",
        r"<M> is (?P<about>best after epoch)",
        r"(?P<about>Training, without evaluations), takes",
        r"(?P<about>The learning rate that was tuned) is",
        r"As (?P<about>effective rate) lr / \(1 − m\), m the momentum, that is",
        r"The (?P<about>best by a parabola) through the scores over the rates is",
        r"(?P<about>At one learning rate), <N>, over \d+ seeds? of the search, <M> is",
        r"The (?P<about>numbers of parameters) are",
    ),
    *_plain(
        "many arms",
        r"from [^;]+? \(\d+ arms in the tables[^()]*\)",
        r"equal within 2 %",
        r"<N> times apart, so that arms may differ by their size",
    ),
    _form(
        "interval of an answer",
        rf"(?:(?P<part>training|validation|test) )?<N> \(<I>(?=[^;]*? {answers.ARM})",
        answers.interval,
    ),
    _form(
        "ratio of an answer",
        rf"(?:<N>|{answers.TIME}) \((?:not reached in \d+ of \d+, )?<N> times, <I>(?=[^;]*? {answers.ARM})",
        answers.ratio,
    ),
    _form("verdict: {about}", rf"(?P<verdict>{answers.INSIDE})\) {answers.ARM}", answers.verdict),
    _form(
        "fastest: {unit}",
        r"(?P<unit>Fewest epochs|Fewest updates|Least seconds of training)(?: to <M> <N>)?: (?P<least>[^;]+?); "
        r"(?:every other arm that can be compared needs more|may need as little: (?P<rivals>.*?))(?=\. |\.?$)",
        answers.fastest,
    ),
    *_plain(
        "item of an answer",
        rf"\)(?:,? of \d+)?(?: in all)?(?: {answers.ARM})?",
        rf"(?:training|validation|test) <N> \((?:n = 1|the same over \d+ seeds)\)(?: {answers.ARM})?",
        rf"<N>(?: \((?:n = 1|the same over \d+ seeds)(?:, {answers.INSIDE})?\))?(?: of \d+)? {answers.ARM}",
        rf"reached by \d+ of \d+ seeds\) {answers.ARM}",
        rf"<N> \((?:n = 1|the same over \d+ seeds), reached by \d+ of \d+ seeds\) {answers.ARM}",
        rf"not reached (?:in \d+ of \d+|by any of \d+ seeds) {answers.ARM}",
        rf"(?:<N>|{answers.TIME}) \(not reached in \d+ of \d+\) {answers.ARM}",
        rf"(?:<N>|{answers.TIME}) \((?:not reached in \d+ of \d+, )?<N> times\) {answers.ARM}",
        rf"{answers.TIME} an update, {answers.TIME}(?: \({answers.TIME} to {answers.TIME}\))? an epoch and "
        rf"{answers.TIME}(?: \({answers.TIME} to {answers.TIME})?",
        rf"in all {answers.ARM}",
        rf"{answers.TIME} {answers.ARM}",
        rf"<N> \(the (?:lowest|highest) tried\) {answers.ARM}",
        rf"[\d,]+ {answers.ARM}",
    ),
    *_plain(
        "told beside answers",
        r"(?:Fewest epochs|Fewest updates|Least seconds of training)(?: to <M> <N>)?: not known, for fewer than two "
        r"arms have every seed there",
        r"(?:Least seconds of training)(?: to <M> <N>)?: [^;]+?; whether others are as fast is not said, for",
        r"Not every seed gets there in .*?(?=\. |\.?$)",
        r"Ratios are those to [^;]+?, geometric means of pairs",
        r"No parabola through the scores over the rates has a top with an interval, at any arm",
        r"at \d+ of \d+ arms none with an interval is found",
        r"not reached by half of the seeds at \d+ of \d+ arms",
        r"By analysis of variance of <M>, the seeds as blocks, Holm-adjusted at 5 %: .*?(?=\. |\.?$)",
        r"(?:measured|the trials were not made) in rounds over all arms(?:, so [^()]*\(ablation\.rounds=true\))?",
        r"Every arm has the learning rate .*?\(ablation\.nuisance=retuned\)",
        r"Claim \d+, .*?: (?:supported|not supported|undecided)[^.]*?(?: \(.*\))?(?=\. Claim|\.?$)",
    ),
]

FORMS = [*ANSWERS, *HEADLINE, *RATES, *NO_ANSWER, *OTHERS, *CAVEATS, *ARMS, *STUDIES, *STATES, *EXPLANATIONS]
_BETWEEN = re.compile(r"[\s;,.:]*(?:and )?")


def claims(text: str, about: Subject) -> Iterator[Claim]:
    """Read a text clause by clause, and judge each.

    Args:
        text: one paragraph.
        about: the study that it speaks of.

    Yields:
        The claims.

    Raises:
        UnknownSentence: no form takes what stands there.
    """
    place, named = 0, {}
    while place < len(text):
        place = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]
        if place == len(text):
            return
        for form in FORMS:
            found = form.pattern.match(text, place)
            if found:
                break
        else:
            raise UnknownSentence(text[place:])
        parts: dict[str, Any] = {name: value for name, value in found.groupdict().items() if value is not None}
        named = {**named, **{name: parts[name] for name in ("setting", "about") if name in parts}}
        yield _claim(form, found[0], {**named, **parts}, about)
        place = found.end()


def _claim(form: Form, text: str, parts: dict[str, str], about: Subject) -> Claim:
    judged = form.judge(parts, about) if form.judge else None
    kind = form.kind.format(**parts)
    if isinstance(judged, tuple):
        return Claim(kind, text, pair=judged)
    return Claim(kind, text, holds=judged)
