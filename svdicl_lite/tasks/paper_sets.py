"""The paper's seven data sets: where each lies on the Hugging Face hub, its prompt, label words and
split sizes (appendix C.1).

`datasets` no longer runs loading scripts, so every one comes from a repository that holds parquet
files: SST-2 and MRPC from nyu-mll/glue, AGNews from fancyzhx/ag_news; RTE, CB and COPA from
aps/super_glue and EmoC from SemEvalWorkshop/emo, in the hub's own parquet copy of the two (the
branch refs/convert/parquet), their main branches being scripts. Taught in chapter 03.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperTask:
    """Where a data set lies on the hub, how its labels become classes, how it is split, and the
    prompt.
    """

    repository: str
    folder: str  # inside the repository
    revision: str
    template: str
    hub_labels: tuple[str, ...]  # what the hub's label numbers mean
    classes: tuple[str, ...]
    label_words: tuple[str, ...]
    n_shots: int  # the paper's
    paper_sizes: dict[str, int]  # of validation and test
    validation_from: str  # the hub's split that it is, or, if that is train, that it is drawn from
    test_from: str
    class_of: tuple[int, ...] | None = None  # hub label → class, if they are not the same
    paper_test_from: str | None = None  # if the paper's test set is from elsewhere than ours
    options: tuple[str, ...] = ()
    twin: str = ""  # the offline task of its kind


GLUE, SUPER_GLUE, PARQUET = "nyu-mll/glue", "aps/super_glue", "refs/convert/parquet"
PAPER_TASKS = {
    "sst2": PaperTask(
        repository=GLUE,
        folder="sst2",
        revision="main",
        template="text: {sentence} sentiment: {label}",
        hub_labels=("negative", "positive"),
        classes=("negative", "positive"),
        label_words=("neg", "pos"),
        n_shots=10,
        paper_sizes={"validation": 8000, "test": 59339},
        validation_from="train",
        test_from="validation",
        paper_test_from="train",
        twin="sentiment",
    ),
    "agnews": PaperTask(
        repository="fancyzhx/ag_news",
        folder="data",
        revision="main",
        template="text: {text} classification: {label}",
        hub_labels=("World", "Sports", "Business", "Sci/Tech"),
        classes=("world", "sports", "business", "science"),
        label_words=("world", "sports", "business", "science"),
        n_shots=8,
        paper_sizes={"validation": 8000, "test": 7600},
        validation_from="train",
        test_from="test",
        twin="topic",
    ),
    "emoc": PaperTask(
        repository="SemEvalWorkshop/emo",
        folder="emo2019",
        revision=PARQUET,
        template="text: {text} sentiment: {label}",
        hub_labels=("others", "happy", "sad", "angry"),
        classes=("not happy", "happy"),
        label_words=("neg", "pos"),
        n_shots=10,
        paper_sizes={"validation": 5000, "test": 5509},
        validation_from="train",
        test_from="test",
        class_of=(0, 1, 0, 0),
        twin="emotion",
    ),
    "mrpc": PaperTask(
        repository=GLUE,
        folder="mrpc",
        revision="main",
        template="sentence1: {sentence1} sentence2: {sentence2} label : {label}",
        hub_labels=("not_equivalent", "equivalent"),
        classes=("not equivalent", "equivalent"),
        label_words=("false", "true"),
        n_shots=10,
        paper_sizes={"validation": 408, "test": 1725},
        validation_from="validation",
        test_from="test",
        twin="paraphrase",
    ),
    "rte": PaperTask(
        repository=SUPER_GLUE,
        folder="rte",
        revision=PARQUET,
        template="{premise} Does this mean that {hypothesis} is true? select Yes or No? {label}",
        hub_labels=("entailment", "not_entailment"),
        classes=("entailment", "not entailment"),
        label_words=("Yes", "No"),
        n_shots=10,
        paper_sizes={"validation": 400, "test": 277},
        validation_from="train",
        test_from="validation",
        twin="entailment",
    ),
    "cb": PaperTask(
        repository=SUPER_GLUE,
        folder="cb",
        revision=PARQUET,
        template="Suppose {premise} Can we infer that {hypothesis}? Yes, No, or Maybe? {label}",
        hub_labels=("entailment", "contradiction", "neutral"),
        classes=("entailment", "contradiction", "neutral"),
        label_words=("Yes", "No", "Maybe"),
        n_shots=15,
        paper_sizes={"validation": 235, "test": 56},
        validation_from="train",
        test_from="validation",
        twin="commitment",
    ),
    "copa": PaperTask(
        repository=SUPER_GLUE,
        folder="copa",
        revision=PARQUET,
        template="{premise} {question} {label}",
        hub_labels=("choice1", "choice2"),
        classes=("choice1", "choice2"),
        label_words=(),
        n_shots=10,
        paper_sizes={"validation": 200, "test": 100},
        validation_from="train",
        test_from="validation",
        options=("choice1", "choice2"),
        twin="choice",
    ),
}
