"""What a tokenizer puts around a text, and what a text must not become."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from svdicl_lite.scoring.prompts import encode
from svdicl_lite.scoring.tokens import special_ends, tokenise, tokenizer_row
from svdicl_lite.tasks.task import Task

WORDS = "text : fine dull a film label good bad < | end > s / first second".split()
TASK = Task("t", "text : {text} label : {label}", ("0", "1"), ("bad", "good"))
SHOWN = [{"text": "fine", "label": 1}, {"text": "dull", "label": 0}]
ASKED = [{"text": "a film", "label": 1}, {"text": "dull a film", "label": 0}]


def tokenizer_with(form):
    """A tokenizer of whole words that puts a text in this form, such as `<s> $A </s>`."""
    vocabulary = {word: i for i, word in enumerate(["<unk>", "<s>", "</s>", *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
    )
    backend.post_processor = processors.TemplateProcessing(
        single=form, special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


FORMS = {"$A": (0, 0), "<s> $A": (1, 0), "$A </s>": (0, 1), "<s> $A </s>": (1, 1)}


@pytest.mark.parametrize("form", FORMS)
def test_what_stands_before_a_text_stays_and_what_stands_behind_it_goes(form):
    tokenizer = tokenizer_with(form)
    before, behind = FORMS[form]
    assert special_ends(tokenizer) == (before, behind)
    row = tokenizer_row(tokenizer)
    assert (row["bos"], row["eos"]) == (before == 1, behind == 1)
    bare = encode(tokenizer_with("$A"), TASK, ("bad", "good"), SHOWN, ASKED)
    found = encode(tokenizer, TASK, ("bad", "good"), SHOWN, ASKED)
    assert found.contexts == [[1] * before + context for context in bare.contexts]
    assert found.continuations == bare.continuations and found.labels == bare.labels


@pytest.mark.parametrize("form", FORMS)
def test_the_spelling_of_a_special_token_stays_text(form):
    tokenizer = tokenizer_with(form)
    asked = [{"text": "a </s> film", "label": 1}, *ASKED]
    found = encode(tokenizer, TASK, ("bad", "good"), SHOWN, asked)
    before, _ = FORMS[form]
    assert all(2 not in context for context in found.contexts)
    spelled = tokenizer.convert_ids_to_tokens(found.contexts[0])
    assert "".join(spelled).endswith("text:a</s>filmlabel:")
    # a text without it is cut as ever
    assert found.contexts[1:] == encode(tokenizer, TASK, ("bad", "good"), SHOWN, ASKED).contexts
    assert found.contexts[0][:before] == [1] * before


def test_a_template_with_special_tokens_refuses_texts_that_spell_them():
    task = Task("t", "text : {text} </s> label : {label}", ("0", "1"), ("bad", "good"))
    tokenizer = tokenizer_with("$A")
    assert 2 in encode(tokenizer, task, ("bad", "good"), SHOWN, ASKED).contexts[0]
    asked = [{"text": text, "label": 0} for text in ("</s>", "fine <s>", "dull")]
    with pytest.raises(ValueError, match="2 texts hold the spelling of a special token, '</s>'"):
        encode(tokenizer, task, ("bad", "good"), SHOWN, asked)


def test_a_tokenizer_that_knows_no_other_way_refuses_them(monkeypatch):
    tokenizer = tokenizer_with("$A")
    cut = PreTrainedTokenizerFast.__call__

    def deaf(self, texts, split_special_tokens=False, **how):
        return cut(self, texts, **how)

    monkeypatch.setattr(PreTrainedTokenizerFast, "__call__", deaf)
    with pytest.raises(ValueError, match="1 text holds .* cannot read as text"):
        encode(tokenizer, TASK, ("bad", "good"), [{"text": "</s>", "label": 1}], ASKED)


def test_the_shipped_tokenizer_reads_its_own_end_as_text(tokenizer):
    (end,) = tokenizer("<|endoftext|>")["input_ids"]
    assert end == tokenizer.eos_token_id
    (tokens,) = tokenise(tokenizer, ["a <|endoftext|> film"], as_text=True)
    assert end not in tokens and tokenizer.decode(tokens) == "a <|endoftext|> film"
    assert tokenizer("<|endoftext|>")["input_ids"] == [end]  # as before, for others


def test_a_full_stop_merged_with_a_line_end_costs_no_option_its_tokens():
    letters = sorted(set("the ice melted. it was warm cold so\n"))
    vocabulary = {letter: i for i, letter in enumerate([*letters, ".\n"])}
    backend = Tokenizer(models.BPE(vocabulary, [(".", "\n")]))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    letters_of = tokenizer.convert_ids_to_tokens
    columns = {"text": "the ice melted.", "one": "it was warm.", "two": "it was cold."}
    task = Task("t", "{text} so {label}", ("0", "1"), (), options=("one", "two"))
    example = {**columns, "label": 0}
    found = encode(tokenizer, task, (), [example], [example])
    assert vocabulary[".\n"] in found.contexts[0]
    options = ["".join(map(letters_of, option)) for option in found.continuations[0]]
    assert options == [" it was warm.", " it was cold."]
