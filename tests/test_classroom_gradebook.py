"""Nothing that a teacher typed is lost, and what a teacher decides holds."""

import csv

import pytest

from svdicl_lite.classroom import gradebook, overrides, sheet
from svdicl_lite.classroom.marker import stopped
from svdicl_lite.classroom.page import page
from svdicl_lite.classroom.similar import SOLUTION, similar
from svdicl_lite.classroom.submissions import Submission, find

QUESTION = {"manual": False, "builds_on": [], "rubric": []}
ASSIGNMENT = {
    "title": "A",
    "questions": [
        QUESTION | {"name": "q1", "title": "Q1", "points": 10},
        QUESTION | {"name": "q2", "title": "Q2", "points": 3, "manual": True},
    ],
}


def graded(*learners, answer="Because; it is so, “always”."):
    """Learners with 7 of 10 points and a short answer."""
    pairs = []
    for name in learners:
        test = {"name": "t", "hidden": True, "points": 10, "passed": True, "message": ""}
        marks = {"q1": {"score": 7, "possible": 10, "tests": [test | {"catches": "a slip"}]}}
        result = stopped("") | {"status": "graded", "questions": marks, "seconds": 1}
        result |= {"code": ["x = 1"], "file": f"{name}.ipynb", "answers": {"q2": answer}}
        pairs.append((Submission(name, "", ()), result))
    return pairs


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def fill(out, save):
    """Fills the sheet in and saves it as `save(rows)` says: text and encoding."""
    rows = table(out / sheet.SHEET)
    for number, row in enumerate(rows):
        row["points"], row["comment"] = str(number % 3 + 0.5), f"seen, by {number}"
    text, encoding = save(rows)
    (out / sheet.SHEET).write_bytes(text.encode(encoding))


def saved(separator, names=None, comma=False):
    """The sheet as a spreadsheet saves it."""

    def save(rows):
        import io

        text = io.StringIO(newline="")
        head = names or list(rows[0])
        writer = csv.DictWriter(text, head, delimiter=separator, extrasaction="ignore")
        writer.writeheader()
        for row in rows:
            row = row | {"my notes": "mine"}
            row["points"] = row["points"].replace(".", ",") if comma else row["points"]
            writer.writerow(row)
        return text.getvalue(), "utf-16" if separator == "\t" else "utf-8-sig"

    return save


@pytest.mark.parametrize(
    "save",
    [
        saved(","),
        saved(";"),
        saved(";", comma=True),
        saved("\t"),
        saved(";", ["points", "answer", "question", "comment", "learner"]),
        saved(",", ["learner", "my notes", "question", "points", "comment", "answer"]),
    ],
    ids=["commas", "semicolons", "decimal commas", "unicode text", "reordered", "own column"],
)
def test_sheet_comes_back_in_whatever_form_it_was_saved(tmp_path, save):
    people = graded("ada", "bob", "cyd")
    gradebook.write(tmp_path, ASSIGNMENT, people)
    fill(tmp_path, save)
    for _ in range(2):
        rows = gradebook.write(tmp_path, ASSIGNMENT, graded("ada", "bob", "cyd"))
    assert [row["q2"] for row in rows] == [0.5, 1.5, 2.5]
    assert [row["look_at"] for row in rows] == [""] * 3
    found = table(tmp_path / sheet.SHEET)
    assert [row["comment"] for row in found] == [f"seen, by {number}" for number in range(3)]
    assert all("always" in row["answer"] for row in found)
    if "my notes" in save([dict(found[0])])[0]:
        assert {row["my notes"] for row in found} == {"mine"}


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("learner,question,score\nada,q2,3\n", "give points back its name"),
        ("pupil;question;points\nada;q2;3\n", "needs learner, question, points"),
        ("", "columns of nothing"),
        ("learner,question,points\nada,q2,1\nada,q2,2\n", "two rows for ada and q2"),
        ("learner,question,points\nada,q2,1,5\n", "has 4 cells under 3 names"),
        ("learner,question,points\nada,q2,33\n", "should be a number from 0 to 3"),
    ],
)
def test_sheet_that_is_not_understood_is_refused_and_left_alone(tmp_path, text, sentence):
    (tmp_path / sheet.SHEET).write_text(text)
    with pytest.raises(ValueError, match=sentence):
        gradebook.write(tmp_path, ASSIGNMENT, graded("ada"))
    assert (tmp_path / sheet.SHEET).read_text() == text
    assert not (tmp_path / "grades.csv").exists()


def test_comment_without_points_and_rows_of_those_who_are_gone_stay(tmp_path):
    (tmp_path / sheet.SHEET).write_text(
        "learner,question,points,comment\nada,q2,,ask her\nghost,q2,2,gone\nada,q9,five,old\n"
    )
    for _ in range(2):
        gradebook.write(tmp_path, ASSIGNMENT, graded("ada"))
    rows = {(row["learner"], row["question"]): row for row in table(tmp_path / sheet.SHEET)}
    assert rows["ada", "q2"]["comment"] == "ask her" and rows["ada", "q2"]["points"] == ""
    assert rows["ghost", "q2"]["points"] == "2" and rows["ada", "q9"]["points"] == "five"


def test_each_state_of_the_sheet_is_kept_once(tmp_path):
    for points in ("1", "1", "2"):
        (tmp_path / sheet.SHEET).write_text(f"learner,question,points\nada,q2,{points}\n")
        gradebook.write(tmp_path, ASSIGNMENT, graded("ada"))
    kept = [path.read_text() for path in sorted((tmp_path / "backups").iterdir())]
    assert [text.splitlines()[1] for text in kept] == ["ada,q2,1", "ada,q2,2"]


def test_drafts_say_when_they_are_partial(tmp_path):
    gradebook.write(tmp_path, ASSIGNMENT, graded("ada"))
    assert (tmp_path / "canvas.partial.csv").exists() and not (tmp_path / "canvas.csv").exists()
    fill(tmp_path, saved(","))
    gradebook.write(tmp_path, ASSIGNMENT, graded("ada"))
    assert (tmp_path / "canvas.csv").exists() and not (tmp_path / "canvas.partial.csv").exists()
    assert table(tmp_path / "canvas.csv")[1]["A"] == "7.5"


def test_two_learners_whose_names_become_one_stay_two(tmp_path):
    for name in ("Zoë K", "Zoë_K", "zoë k"):
        (tmp_path / f"{name}.ipynb").write_text("{}")
    keys = [one.key for one in find(tmp_path)]
    assert len({key.lower() for key in keys}) == 3


def decide(out, *rows):
    text = "".join(f"{row}\n" for row in ("learner;question;points;why", *rows))
    (out / overrides.FILE).write_text(text)


@pytest.mark.parametrize(
    "rows, total, q1",
    [
        (["ada;q1;9,5;regraded"], 9.5, 9.5),
        (["ada;total;0;copied"], 0, 7),
        (["ada;late;2;two days"], 5, 7),
        (["ada;q1;9;regraded", "ada;late;2;two days"], 7, 9),
        (["ada;late;13;a month"], 0, 7),
    ],
)
def test_override_holds_in_every_run_and_is_said(tmp_path, rows, total, q1):
    decide(tmp_path, *rows)
    for _ in range(2):
        ada, bob = gradebook.write(tmp_path, ASSIGNMENT, graded("ada", "bob", answer=""))
        assert (ada["total"], ada["q1"]) == (total, q1) and bob["total"] == 7
        assert rows[0].rpartition(";")[2] in ada["overrides"] and bob["overrides"] == ""
    assert float(table(tmp_path / "canvas.csv")[1]["A"]) == total


@pytest.mark.parametrize(
    "row, sentence",
    [
        ("eve;q1;9;x", "names the learner 'eve'"),
        ("ada;q7;9;x", "names the question 'q7'"),
        ("ada;q1;1000;x", "from 0 to 10"),
        ("ada;q1;many;x", "from 0 to 10"),
        ("ada;q1;9;", "does not say why"),
    ],
)
def test_override_that_cannot_be_is_refused(tmp_path, row, sentence):
    decide(tmp_path, row)
    with pytest.raises(ValueError, match=sentence):
        gradebook.write(tmp_path, ASSIGNMENT, graded("ada"))


def test_reasons_are_told_only_when_they_are_released(tmp_path):
    people = graded("ada")
    people[0][1]["questions"]["q1"]["tests"][0]["passed"] = False
    for reveal in (False, True):
        gradebook.write(tmp_path, ASSIGNMENT, people, reveal)
        assert ("a slip" in (tmp_path / "feedback/ada.md").read_text()) is reveal


def test_statistics_say_how_many_fell_for_what(tmp_path):
    people = graded("ada", "bob", "cyd")
    people[0][1]["questions"]["q1"]["tests"][0]["passed"] = False
    gradebook.write(tmp_path, ASSIGNMENT, people)
    question, check = table(tmp_path / "statistics.csv")
    assert question["check"] == "" and float(question["share"]) == 0.7
    assert check["catches"] == "a slip" and (check["passed"], check["of"]) == ("2", "3")
    picture = (tmp_path / "statistics.svg").read_text()
    assert "a slip" in picture and "2 of 3" in picture


LONG = """
def search(evaluate, rates):
    scores = [evaluate("validation", rate).mean() for rate in rates]
    best = 0
    for i, score in enumerate(scores):
        if score > scores[best]:
            best = i
    before = evaluate("test", rates[0]).mean()
    after = evaluate("test", rates[best]).mean()
    return rates[best], scores[best] - scores[0], after - before
"""
OTHER = """
def search(evaluate, rates):
    def judge(split, rate):
        return float(evaluate(split, rate).mean())
    table = {rate: judge("validation", rate) for rate in rates}
    winner = max(table, key=table.get)
    gains = table[winner] - table[rates[0]], judge("test", winner) - judge("test", rates[0])
    return (winner, *gains)
"""


def test_renamed_copy_is_hinted_at_and_own_work_is_not():
    renamed = LONG.replace("scores", "values").replace("best", "top").replace("i,", "n,")
    codes = {"ada": [LONG], "bob": [renamed + "\n# mine"], "cyd": [OTHER], "dan": ["x = (1"]}
    rows = similar(codes, [], [])
    assert [(row["one"], row["other"]) for row in rows] == [("ada", "bob")]
    assert similar(codes, [LONG], []) == [], "what was handed out is nobody's"
    assert {row["one"] for row in similar({"ada": [LONG]}, [], [LONG])} == {"ada"}
    assert similar({"ada": [LONG]}, [], [LONG])[0]["other"] == SOLUTION


def test_page_shows_what_a_learner_wrote_and_runs_none_of_it(tmp_path):
    text = page("# A: <script>x</script>\n\n**7 of 10**\n\n## Q: 1 of 2\n\n- `<img onerror=1>`\n")
    assert "<script>x" not in text and "<img" not in text
    assert (
        "<strong>7 of 10</strong>" in text and "<li><code>&lt;img onerror=1&gt;</code></li>" in text
    )
    gradebook.write(tmp_path, ASSIGNMENT, graded("ada"))
    assert "7 of 10" in (tmp_path / "feedback/ada.html").read_text()


def test_sheet_without_names_finds_its_way_back(tmp_path):
    gradebook.write(tmp_path, ASSIGNMENT, graded("ada", "bob"), hide_names=True)
    assert "ada" not in (tmp_path / sheet.SHEET).read_text()
    fill(tmp_path, saved(";"))
    text = (tmp_path / sheet.SHEET).read_text(encoding="utf-8-sig")
    typed = csv.DictReader(text.splitlines(), delimiter=";")
    given = {row["learner"]: float(row["points"]) for row in typed}
    for hide in (True, False):
        ada, bob = gradebook.write(tmp_path, ASSIGNMENT, graded("ada", "bob"), hide_names=hide)
        assert (ada["q2"], bob["q2"]) == (given[sheet.code("ada")], given[sheet.code("bob")])
    assert {row["learner"] for row in table(tmp_path / sheet.SHEET)} == {"ada", "bob"}
