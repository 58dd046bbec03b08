"""The seven offline tasks: no split shares a sentence, and what a pair's label says can be read off
the pair.
"""

import random
import re
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svdicl_lite.tasks import suite
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.paper import PAPER_TASKS
from svdicl_lite.tasks.task import ARBITRARY_WORDS, LABEL_SETTINGS
from svdicl_lite.tasks.worlds import causes, emotions, grammar, sentence_pairs, wider_grammar

SPLITS = ("train", "validation", "test")
SURE = ("short", "plain", "hard")  # kinds in which the label is certain
seeds = st.integers(0, 2**32 - 1)


def sentences(task, split):
    """Every sentence of a split, whatever its column."""
    return [
        text
        for column in suite.columns(task.name)
        if column != "question"
        for text in task.splits[split][column][:]
    ]


@pytest.mark.parametrize("name", suite.SUITE)
def test_no_sentence_stands_in_two_splits_and_no_example_twice(name):
    task = load_task(name)
    parts = {split: sentences(task, split) for split in SPLITS}
    assert all(not {*parts[one]} & {*parts[two]} for one, two in combinations(SPLITS, 2))
    for split in SPLITS:
        assert {grammar.split_of(text) for text in parts[split]} == {split}
        rows = [tuple(row[column] for column in suite.columns(name)) for row in task.splits[split]]
        assert len({*rows}) == len(rows) == suite.SIZES[name][split]
        assert task.splits[split].features["label"].names == list(task.classes)


@pytest.mark.parametrize("name", suite.SUITE)
def test_classes_are_balanced_but_in_emotion_one_in_five_is_happy(name):
    rng, n, classes = random.Random(0), 1500, suite.SUITE[name].classes
    found = Counter(suite.draw(name, rng, "train")["label"] for _ in range(n))
    expected = (
        (1 - emotions.HAPPY_SHARE, emotions.HAPPY_SHARE)
        if name == "emotion"
        else [1 / len(classes)] * len(classes)
    )
    for index, share in enumerate(expected):
        assert found[index] / n == pytest.approx(
            share, abs=0.06
        )  # a draw that is of another split is made anew, which leans a little; s.d. 0.013


@pytest.mark.parametrize("name", [name for name in suite.SUITE if not suite.SUITE[name].options])
def test_there_are_three_label_settings(name):
    canonical, flipped, arbitrary = (load_task(name, setting).words() for setting in LABEL_SETTINGS)
    assert (
        {*canonical} == {*flipped}
        and all(one != two for one, two in zip(canonical, flipped))
        and {*arbitrary} <= {*ARBITRARY_WORDS}
    )


@pytest.mark.parametrize("setting", ["flipped", "arbitrary"])
def test_a_choice_has_no_label_words_to_flip(setting):
    with pytest.raises(ValueError, match="task 'choice' chooses between options"):
        load_task("choice", setting)


def test_prompts_and_label_words_are_the_papers():
    twins = {
        "mixed-sentiment": "sst2",
        "mixed-topic": "agnews",
        "emotion": "emoc",
        "paraphrase": "mrpc",
        "entailment": "rte",
        "commitment": "cb",
        "choice": "copa",
    }
    fields = lambda template: re.sub(r"\{(?!label)\w+\}", "{}", template)
    for ours, theirs in twins.items():
        paper = PAPER_TASKS[theirs]
        assert fields(suite.SUITE[ours].template) == fields(paper.template)
        assert (
            suite.SUITE[ours].label_words == paper.label_words
            and suite.SUITE[ours].options == paper.options
        )


def canonical_event(text):
    """(agent, verb, thing, denied, when), whatever the order and whichever of two synonyms: the
    meaning of a sentence of `pairs`.
    """
    first_of = {word: pair[0] for pair in sentence_pairs.SAME for word in pair}
    words = text.split()
    when = {*words} & {*wider_grammar.TIMES}
    words = [word for word in words if word not in wider_grammar.TIMES and word != "the"]
    denied = "never" in words
    words = [word for word in words if word != "never"]
    agent, verb, thing = (words[4], words[2], words[0]) if words[1] == "was" else words
    return agent, first_of[verb], thing, denied, frozenset(when)


@given(seeds, st.sampled_from(SURE))
def test_paraphrases_tell_the_same_event_and_the_others_do_not(seed, kind):
    row = suite.draw("paraphrase", random.Random(seed), "test", (kind,))
    same = canonical_event(row["sentence1"])[:4] == canonical_event(row["sentence2"])[:4]
    assert same == (row["label"] == 1) and row["sentence1"] != row["sentence2"]


def holds(premise, hypothesis):
    """Whether a premise of one or two clauses says so."""
    clauses = re.split(r" and | but ", re.sub(r" in the \w+$", "", premise))
    events = {canonical_event(clause)[:4] for clause in clauses}
    general = re.fullmatch(r"(the \w+ \w+) some (\w+)", hypothesis)
    if general:
        things = sentence_pairs.THINGS[general[2]].split()
        return any(canonical_event(f"{general[1]} the {thing}")[:4] in events for thing in things)
    return canonical_event(hypothesis)[:4] in events


@given(seeds, st.sampled_from(SURE))
def test_what_is_entailed_is_said_by_the_premise(seed, kind):
    row = suite.draw("entailment", random.Random(seed), "train", (kind,))
    assert holds(row["premise"], row["hypothesis"]) == (row["label"] == 0)


def test_what_is_exchanged_is_not_said_by_accident():
    rng, n = (
        random.Random(0),
        3000,
    )  # two events of one agent, whose exchange would change nothing, come once in two dozen draws
    said = sum(
        hypothesis in premise.split(" and ")
        for premise, hypothesis in (sentence_pairs.entailment(rng, "hard", 1) for _ in range(n))
    )
    assert (
        said <= 5
        # two agents who did the same to the same: one in 1,920 of the third of draws that exchange;
        # one
        # agent would be 40
    )


@given(seeds, st.sampled_from(SURE))
def test_commitment_depends_on_the_verb_and_on_who_denies(seed, kind):
    row = suite.draw("commitment", random.Random(seed), "train", (kind,))
    frame, _, claim = row["premise"].partition(" that ")
    words = frame.split()
    same = canonical_event(claim)[:4] == canonical_event(row["hypothesis"])[:4]
    if {*words} & {*sentence_pairs.SAID}:
        assert row["label"] == 2
    else:
        believed = bool({*words} & {*sentence_pairs.KNEW}) == same
        assert row["label"] == (0 if believed else 1)


@given(seeds, st.sampled_from(SURE))
def test_the_right_option_is_the_other_end_of_the_premises_story(seed, kind):
    row = suite.draw("choice", random.Random(seed), "train", (kind,))

    def place(text):
        """(story, half) of a sentence whose name and day are left out."""
        for number, story in enumerate(causes.STORIES):
            for half, ways in enumerate(story):
                for way in ways:
                    if re.fullmatch(re.sub(r"\bN\b", r"\\w+", way) + r" \w+", text):
                        return number, half

    story, half = place(row["premise"])
    assert causes.QUESTIONS[1 - half] == row["question"]
    right, wrong = row[f"choice{row['label'] + 1}"], row[f"choice{2 - row['label']}"]
    assert place(right) == (story, 1 - half) and place(wrong) != place(right)


@pytest.mark.parametrize("name", suite.SUITE)
def test_every_word_that_is_said_is_in_the_vocabulary(name):
    rng, known = random.Random(0), {*suite.vocabulary()}
    for kind in suite.KINDS:
        for _ in range(150):
            row = suite.draw(name, rng, "train", (kind,))
            assert {word for column in suite.columns(name) for word in row[column].split()} <= known


def test_the_vocabulary_is_of_one_to_two_thousand_words():
    said = {
        *suite.vocabulary(),
        *ARBITRARY_WORDS,
        *(word for task in suite.SUITE.values() for word in task.label_words),
    }
    assert 1000 <= len(said) <= 2000


@pytest.mark.parametrize("name", ["emotion", "paraphrase", "entailment", "commitment"])
def test_mixed_evidence_is_read_rightly_three_times_in_four(name):
    """Per class: of two examples that look alike, the label is that of the look three times in
    four.
    """
    looks = {
        "emotion": lambda row: int(
            bool(
                re.search(
                    r"\b(" + "|".join((*emotions.HAPPY, *emotions.LOVE)) + r")\b.* and ",
                    row["text"],
                )
            )
        ),
        "paraphrase": lambda row: int(not {*row["sentence2"].split()} & {*wider_grammar.TIMES}),
        "entailment": lambda row: int(bool({*row["premise"].split()} & {*sentence_pairs.DOUBTED})),
        "commitment": lambda row: next(
            i
            for i, verbs in enumerate(
                (sentence_pairs.ADMITTED, sentence_pairs.DENIED, sentence_pairs.DOUBTED)
            )
            if {*row["premise"].split()} & {*verbs}
        ),
    }
    rng, n = random.Random(0), 1200
    rows = [suite.draw(name, rng, "train", ("mixed",), balanced=True) for _ in range(n)]
    agree = sum(looks[name](row) == row["label"] for row in rows) / n
    assert agree == pytest.approx(
        wider_grammar.FIRST_DECIDES, abs=0.055
    )  # standard deviation 0.0125
