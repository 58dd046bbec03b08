"""Names of the polyglot tasks, and which word of a rare register stands for which usual one."""

from svdicl_lite.tasks import grammar_tasks, registers
from svdicl_lite.tasks.registers import LEXICON, REGISTERS, task_name
from svdicl_lite.tasks.worlds import grammar

NAMES = [
    task_name(question, register) for register in REGISTERS for question in grammar_tasks.TASKS
]
ENGLISH = {invented: word for word, invented in LEXICON.items()}
USUAL = {  # a jargon word → a usual one of its class
    rare: usual[key].split()[0]
    for table, usual in (
        (registers.SUBJECTS, grammar.SUBJECTS),
        (registers.OBJECTS, grammar.OBJECTS),
        (registers.ADJECTIVES, grammar.ADJECTIVES),
        (registers.VERBS, grammar.VERBS),
    )
    for key, words in table.items()
    for rare in words.split()
}
