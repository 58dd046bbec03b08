"""The tokenizer of the shipped language models: byte-level BPE in which every word of their small
world is one token.

Taught in chapter 03.
"""

from collections.abc import Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from svdicl_lite.tasks.grammar_tasks import TASKS
from svdicl_lite.tasks.task import ARBITRARY_WORDS
from svdicl_lite.tasks.worlds import grammar


def train_tokenizer(more_words: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    """The tokenizer of the small world, and of `more_words` if there are any."""
    words = [
        *grammar.vocabulary(),
        *ARBITRARY_WORDS,
        *(word for task in TASKS.values() for word in task.label_words),
    ]
    words += [word for word in more_words if word not in words]
    frames = [
        task.template.replace("{text}", "").replace("{label}", "\n") for task in TASKS.values()
    ]
    return bpe(words, frames, 4096 if more_words else 2048)


def bpe(words: Sequence[str], frames: Sequence[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, GPT-2's kind, in which every word is one token after a space."""
    end = "<|endoftext|>"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=[end], initial_alphabet=alphabet, show_progress=False
    )
    # merges are made of pairs that are met often: twenty times each makes every word one token
    tokenizer.train_from_iterator([*(f" {word}" for word in words), *frames] * 20, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=end, eos_token=end, unk_token=end, pad_token=end
    )
