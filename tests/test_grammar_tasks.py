import random
import re
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svdicl_lite.tasks import grammar_tasks
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.task import ARBITRARY_WORDS
from svdicl_lite.tasks.worlds import grammar

SPLITS = ("train", "validation", "test")
KINDS = ("short", "plain", "hard")
seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.sampled_from(SPLITS), st.sampled_from(KINDS))
def test_a_drawn_sentence_belongs_to_the_split_it_was_drawn_for(seed, split, kind):
    sentence = grammar.draw(random.Random(seed), split, (kind,))
    assert grammar.split_of(sentence.text) == split
    assert sentence.topic in grammar.TOPICS and sentence.polarity in grammar.POLARITIES


@given(st.text())
def test_every_text_has_one_split_and_keeps_it(text):
    assert grammar.split_of(text) in SPLITS
    assert grammar.split_of(text) == grammar.split_of(text)


def test_splits_are_70_15_15_percent():
    n = 20_000
    share = Counter(grammar.split_of(f"sentence {i}") for i in range(n))
    for split, expected in zip(SPLITS, (0.70, 0.15, 0.15)):
        assert share[split] / n == pytest.approx(
            expected, abs=0.015
        )  # standard deviation 0.0032: more than four of them


@given(seeds)
def test_drawing_is_decided_by_the_generator(seed):
    random.seed(seed + 1)
    one = grammar.draw(random.Random(seed), "train")
    assert grammar.draw(random.Random(seed), "train") == one


def form_of(kind):
    """The forms of a kind as one pattern over finished sentences."""
    return re.compile("|".join(re.sub(r"\b[A-Z]\b", r"\\w+", form) for form in grammar.FORMS[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_says_all_of_its_forms_and_only_those(kind):
    rng = random.Random(0)
    texts = [grammar.draw(rng, "train", (kind,)).text for _ in range(400)]
    assert all(form_of(kind).fullmatch(text) for text in texts)
    for form in grammar.FORMS[
        kind
    ]:  # the rarest has probability 1/12 or so: missed by 400 draws once in 1e15
        assert any(re.fullmatch(re.sub(r"\b[A-Z]\b", r"\\w+", form), text) for text in texts), form


def test_kinds_are_mixed_evenly():
    rng, n = random.Random(0), 2000
    hard = sum(
        not form_of("short").fullmatch(grammar.draw(rng, "train", ("short", "hard")).text)
        for _ in range(n)
    )
    # One hard form of ten, "the S V the X", looks like a short one: half of nine tenths show.
    # Standard deviation 0.011.
    assert hard / n == pytest.approx(0.45, abs=0.045)


def test_topics_and_polarities_are_drawn_evenly():
    rng, n = random.Random(0), 4000
    sentences = [grammar.draw(rng, "train") for _ in range(n)]
    topic, polarity = Counter(s.topic for s in sentences), Counter(s.polarity for s in sentences)
    assert all(
        topic[name] / n == pytest.approx(0.25, abs=0.03) for name in grammar.TOPICS
    )  # standard deviation 0.007
    assert all(
        polarity[name] / n == pytest.approx(0.5, abs=0.035) for name in grammar.POLARITIES
    )  # 0.008


@pytest.mark.parametrize("table", ["SUBJECTS", "OBJECTS", "ADJECTIVES", "VERBS"])
def test_no_word_stands_for_two_classes_or_twice(table):
    words = [word for words in getattr(grammar, table).values() for word in words.split()]
    assert [word for word, n in Counter(words).items() if n > 1] == []


def parse(text):
    """(topic, polarity) by rules of its own: who is the subject, what is said last, and how often
    it is denied.
    """
    topic_of = {word: topic for topic, words in grammar.SUBJECTS.items() for word in words.split()}
    tables = (grammar.ADJECTIVES, grammar.VERBS)
    polarity_of = {
        word: polarity
        for table in tables
        for polarity, words in table.items()
        for word in words.split()
    }
    words = text.split()
    (topic,) = {topic_of[word] for word in words if word in topic_of}
    judged = [word for word in words if word in polarity_of]
    polarity = polarity_of[
        judged[0] if words[0] != "although" and "but" not in words else judged[-1]
    ]
    denied = {"not", "never", "nobody"} & {*words} or " no longer " in text
    return topic, polarity if not denied else {"neg": "pos", "pos": "neg"}[polarity]


@given(seeds, st.sampled_from(KINDS))
def test_the_classes_can_be_read_off_the_text(seed, kind):
    sentence = grammar.draw(random.Random(seed), "test", (kind,))
    assert parse(sentence.text) == (sentence.topic, sentence.polarity)


@given(seeds, st.sampled_from(KINDS))
def test_the_vocabulary_holds_every_word_that_is_said(seed, kind):
    assert {*grammar.draw(random.Random(seed), "train", (kind,)).text.split()} <= {
        *grammar.vocabulary()
    }


def test_the_vocabulary_is_sorted_lower_case_and_without_slots():
    words = grammar.vocabulary()
    assert words == sorted({*words}) and all(re.fullmatch("[a-z]+", word) for word in words)
    assert {"the", "not", "although", "goalkeeper", "treasured", "anna"} <= {
        *words
    } and "d" not in words


def test_every_word_of_the_prompts_is_one_token_behind_a_space(tokenizer):
    words = [
        *grammar.vocabulary(),
        *ARBITRARY_WORDS,
        *(word for task in grammar_tasks.TASKS.values() for word in task.label_words),
    ]
    assert [word for word in words if len(tokenizer(f" {word}")["input_ids"]) != 1] == []


def test_splits_have_their_sizes_and_share_no_sentence(sentiment, topic):
    for task in (sentiment, topic):
        texts = {split: task.splits[split]["text"] for split in SPLITS}
        assert {split: len(texts[split]) for split in SPLITS} == {
            "train": 1000,
            "validation": 2000,
            "test": 4000,
        }
        assert all(len({*texts[split]}) == len(texts[split]) for split in SPLITS)
        assert all(not {*texts[one]} & {*texts[other]} for one, other in combinations(SPLITS, 2))


@pytest.mark.parametrize("seed, kinds", [(1, ("plain", "hard")), (0, ("short",))])
def test_splits_of_other_draws_share_no_sentence_with_these(sentiment, seed, kinds):
    other = load_task("sentiment", kinds=kinds, seed=seed)
    assert not {*other.splits["test"]["text"]} & {*sentiment.splits["train"]["text"]}
    assert not {*sentiment.splits["test"]["text"]} & {*other.splits["train"]["text"]}
    assert {*other.splits["test"]["text"]} != {*sentiment.splits["test"]["text"]}


def test_two_tasks_ask_two_questions_about_one_pool_of_sentences(sentiment, topic):
    for split in SPLITS:
        assert sentiment.splits[split]["text"][:] == topic.splits[split]["text"][:]
    assert (sentiment.classes, topic.classes) == (grammar.POLARITIES, grammar.TOPICS)


def test_labels_are_the_classes_of_the_sentences(sentiment, topic):
    for asked, part in ((topic, 0), (sentiment, 1)):
        rows = asked.splits["validation"].select(range(300))
        assert [asked.classes[row["label"]] for row in rows] == [
            parse(row["text"])[part] for row in rows
        ]
        assert rows.features["label"].names == list(asked.classes)


def test_loading_twice_gives_the_same_sentences(sentiment):
    random.seed(5)
    grammar_tasks._splits.cache_clear()
    again = load_task("sentiment")
    assert all(
        again.splits[split]["text"][:] == sentiment.splits[split]["text"][:] for split in SPLITS
    )
    assert all(
        again.splits[split]["label"][:] == sentiment.splits[split]["label"][:] for split in SPLITS
    )


@pytest.mark.parametrize("name", ["sentiment", "topic"])
def test_canonical_words_are_the_tasks_own_and_flipped_ones_move_every_class(name):
    task = grammar_tasks.TASKS[name]
    canonical, flipped = task.words("canonical"), task.words("flipped")
    assert canonical == task.label_words == task.words()
    assert {*flipped} == {*canonical} and all(
        one != other for one, other in zip(canonical, flipped)
    )


@given(st.sampled_from(["sentiment", "topic"]), seeds)
def test_arbitrary_words_are_distinct_and_mean_nothing_here(name, seed):
    task = grammar_tasks.TASKS[name]
    words = task.words("arbitrary", seed=seed)
    assert len({*words}) == len(words) == len(task.classes) and {*words} <= {*ARBITRARY_WORDS}
    assert words == task.words("arbitrary", seed=seed)
    assert not {*words} & {*grammar.vocabulary(), *task.label_words}


def test_arbitrary_words_change_with_the_seed_and_only_they():
    task = grammar_tasks.TASKS["topic"]
    assert len({task.words("arbitrary", seed=seed) for seed in range(20)}) > 10
    assert (
        len(
            {
                task.words(setting, seed=seed)
                for setting in ("canonical", "flipped")
                for seed in range(20)
            }
        )
        == 2
    )


def test_a_task_speaks_the_words_of_the_setting_it_was_loaded_in(sentiment):
    flipped = load_task("sentiment", "flipped")
    assert flipped.words() == ("pos", "neg") and flipped.words("canonical") == ("neg", "pos")
    assert (
        flipped.splits["test"]["label"][:] == sentiment.splits["test"]["label"][:]
    )  # words move, classes do not


def test_unknown_tasks_are_refused():
    with pytest.raises(ValueError, match="there is no task 'mood'; the tasks are sentiment, topic"):
        load_task("mood")


def test_unknown_label_settings_are_refused(sentiment):
    message = "label_setting is 'random', but must be one of canonical, flipped, arbitrary"
    with pytest.raises(ValueError, match=message):
        load_task("sentiment", "random")
    with pytest.raises(ValueError, match=message):
        sentiment.words("random")


def test_a_seed_is_not_taken_for_a_label_setting(sentiment):
    with pytest.raises(ValueError, match="label_setting is 3, but must be one of"):
        sentiment.words(3)


@pytest.mark.parametrize("kinds", [("easy",), ("plain", "difficult"), "hard", ()])
def test_unknown_kinds_of_sentence_are_refused(kinds):
    with pytest.raises(ValueError, match="short, plain, hard"):
        load_task("sentiment", kinds=kinds)


@pytest.mark.parametrize("name, kinds", [("emotion", ("short",)), ("topic-jargon", ("short",))])
def test_kinds_that_cannot_say_enough_are_refused_instead_of_drawn_for_ever(name, kinds):
    with pytest.raises(
        ValueError,
        match=(
            f"task '{name}' of kinds short has about [0-9,]+ different examples in a split that"
            " needs [0-9,]+; name more kinds"
        ),
    ):
        load_task(name, kinds=kinds)
