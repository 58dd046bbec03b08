import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polyglot_words import ENGLISH, NAMES, USUAL
from test_grammar_tasks import parse

from svdicl_lite.tasks import grammar_tasks, registers
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.registers import LEXICON, REGISTERS, draw, task_name
from svdicl_lite.tasks.task import ARBITRARY_WORDS
from svdicl_lite.tasks.worlds import grammar

SPLITS = ("train", "validation", "test")
KINDS = ("short", "plain", "hard")
seeds = st.integers(0, 2**32 - 1)


def in_common(text: str) -> str:
    """The sentence in common words; those of the second language keep their order."""
    return " ".join(ENGLISH.get(word, USUAL.get(word, word)) for word in text.split())


@given(seeds, st.sampled_from(SPLITS), st.sampled_from(KINDS))
def test_the_common_register_is_the_grammar_itself(seed, split, kind):
    assert draw(REGISTERS["common"], random.Random(seed), split, (kind,)) == grammar.draw(
        random.Random(seed), split, (kind,)
    )


@given(seeds, st.sampled_from(sorted(REGISTERS)), st.sampled_from(SPLITS), st.sampled_from(KINDS))
def test_classes_can_be_read_off_the_words_and_the_split_off_the_text(seed, register, split, kind):
    sentence = draw(REGISTERS[register], random.Random(seed), split, (kind,))
    assert grammar.split_of(sentence.text) == split
    assert parse(in_common(sentence.text)) == (sentence.topic, sentence.polarity)
    assert {*sentence.text.split()} <= REGISTERS[register].vocabulary()


def test_no_word_is_in_two_languages_nor_stands_for_two():
    frames = {
        word
        for task in grammar_tasks.TASKS.values()
        for word in task.template.replace(":", "").split()
    }
    english = {
        *REGISTERS["common"].vocabulary(),
        *REGISTERS["jargon"].vocabulary(),
        *ARBITRARY_WORDS,
        *registers.LABEL_WORDS,
        *frames,
    }
    second = {
        *REGISTERS["second"].vocabulary(),
        *(
            word
            for question in grammar_tasks.TASKS
            for word in registers.TASKS[f"{question}-second"].label_words
        ),
    }
    assert (
        not second & english
        and second <= {*LEXICON.values()}
        and len({*LEXICON.values()}) == len(LEXICON)
    )
    assert {*LEXICON} == {*grammar.vocabulary(), *registers.LABEL_WORDS}


def test_jargon_words_are_no_usual_ones_and_each_has_one_class():
    words = [
        word
        for table in (registers.SUBJECTS, registers.OBJECTS, registers.ADJECTIVES, registers.VERBS)
        for ws in table.values()
        for word in ws.split()
    ]
    assert [word for word, n in Counter(words).items() if n > 1] == []
    assert not {*words} & {*grammar.vocabulary(), *ARBITRARY_WORDS, *registers.LABEL_WORDS}


@pytest.mark.parametrize("register", ["second", "jargon"])
def test_every_sentence_of_a_rare_register_holds_a_word_of_its_own(register):
    rng, common = random.Random(0), REGISTERS["common"].vocabulary()
    assert all(
        {*draw(REGISTERS[register], rng, "train", KINDS).text.split()} - common for _ in range(500)
    )


def test_the_second_language_has_its_verb_at_the_end_and_its_adjective_behind():
    said = {form for kind in KINDS for form in REGISTERS["second"].world.forms[kind]}
    in_english = [" ".join(ENGLISH.get(word, word) for word in form.split()) for form in said]
    assert (
        "S the O the V" in in_english
        and "S A the O the V" in in_english
        and "the S V the O" not in in_english
    )
    assert {kind: len(forms) for kind, forms in registers.SECOND_FORMS.items()} == {
        kind: len(forms) for kind, forms in grammar.FORMS.items()
    }


def test_splits_have_their_sizes_and_share_no_sentence_over_all_registers():
    texts = {
        (split, name): {*load_task(name).splits[split]["text"]}
        for name in NAMES
        if name.startswith("sentiment")
        for split in SPLITS
    }
    assert all(len(texts[split, name]) == grammar_tasks.SIZES[split] for split, name in texts)
    assert all(not texts[one] & texts[other] for one, other in combinations(texts, 2))


def test_both_questions_are_asked_about_one_pool_and_labels_are_the_classes():
    for register in ("second", "jargon"):
        mood, topic = (
            load_task(task_name(question, register)) for question in ("sentiment", "topic")
        )
        assert mood.splits["test"]["text"][:] == topic.splits["test"]["text"][:]
        for text, one, other in zip(
            *(
                rows[:200]
                for rows in (
                    mood.splits["test"]["text"],
                    topic.splits["test"]["label"],
                    mood.splits["test"]["label"],
                )
            )
        ):
            assert parse(in_common(text)) == (topic.classes[one], mood.classes[other])


def test_label_words_are_the_registers_own_and_arbitrary_ones_are_shared():
    sentiment = {register: load_task(task_name("sentiment", register)) for register in REGISTERS}
    assert sentiment["jargon"].words() == sentiment["common"].words() == ("neg", "pos")
    assert sentiment["second"].words() == (LEXICON["neg"], LEXICON["pos"]) and sentiment[
        "second"
    ].words("flipped") == (LEXICON["pos"], LEXICON["neg"])
    assert len({task.words("arbitrary", seed=3) for task in sentiment.values()}) == 1
    assert load_task("topic-second", "flipped").label_setting == "flipped"


def test_bad_questions_are_refused():
    with pytest.raises(
        ValueError, match="kinds is 'plain', but must be a tuple of some of short, plain, hard"
    ):
        load_task("topic-second", kinds="plain")
    with pytest.raises(
        ValueError, match="task 'topic-jargon' is made by the grammar and takes no source"
    ):
        load_task("topic-jargon", source="here")
    with pytest.raises(
        ValueError,
        match=(
            "the tasks are sentiment, topic.*sentiment-second, sentiment-jargon, topic-second,"
            " topic-jargon"
        ),
    ):
        load_task("topic-latin")
