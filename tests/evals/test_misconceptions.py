"""Two wordings of one misconception are held equal; another misconception is not, however well it is worded."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.evaluation import MisconceptionFeedback, QuestionFeedback
from schemas.exam import Misconception, Question
from tests.evals.measures import misconceptions_found, scores_of
from tests.evals.misconceptions import is_same_misconception
from tests.exams import NAMES, Mark, submission_of, teacher_marks

BLUE = Misconception(
    error_pattern="5/8", feedback="You counted the blue balls. The number of balls you ask for goes on top."
)
RATIO = Misconception(
    error_pattern="3/5", feedback="You compared red with blue. The number below is that of all balls."
)
SEEN = Mark(0, "counts the other event", "5/8")
UNLISTED = Mark(0, "explains the length of a food chain by strength instead of energy")
Taught = tuple[Question, Mark]
TAUGHT: list[Taught] = [
    (question, mark)
    for name in NAMES
    for question in submission_of(name)[1].questions
    if (mark := teacher_marks(name)[question.question_number]).misconception
]


def named(error: str, *, kind: str = "error", why: str = "That is not so.") -> MisconceptionFeedback:
    return MisconceptionFeedback(
        misconception_type=kind, common_error=error, why_its_wrong=why, correct_thinking="t", practice_suggestion="p"
    )


@pytest.mark.parametrize(
    "naming",
    [
        named("5/8"),
        named(" 5 / 8 "),
        named("Counts the other event"),
        named("Counting an event", kind="other_event"),
        named("You counted the blue balls", why="The number you ask for goes on top."),
        named("the blue balls were counted on top", why="Not the number that the question asks for."),
    ],
)
def test_the_teachers_words_or_the_exams_name_the_same_misconception(naming: MisconceptionFeedback) -> None:
    assert is_same_misconception(naming, SEEN, [BLUE, RATIO])


@pytest.mark.parametrize(
    "naming",
    [
        named("3/5"),
        named("3/5", why="The number of blue balls is below; all balls go there, red ones on top."),
        named("You compared red with blue", why="The number below is that of all balls."),
        named("Forgets to simplify the fraction"),
        named("Adds numerators and denominators", kind="add_across"),
        named("event"),
        named("-"),
    ],
)
def test_another_misconception_does_not_count(naming: MisconceptionFeedback) -> None:
    assert not is_same_misconception(naming, SEEN, [BLUE, RATIO])


def test_one_that_the_exam_does_not_list_is_compared_with_the_teachers_words() -> None:
    assert is_same_misconception(named("Explaining the chain's length by strength, not energy"), UNLISTED, [])
    assert not is_same_misconception(named("Confuses a food chain with a food web"), UNLISTED, [])


def test_where_the_teacher_saw_none_none_is_found() -> None:
    assert not is_same_misconception(named("5/8"), Mark(1), [BLUE])


@pytest.mark.parametrize(("question", "mark"), TAUGHT, ids=[question.question_id for question, _ in TAUGHT])
def test_what_a_teacher_saw_is_found_when_it_is_named_in_their_words_or_the_exams(
    question: Question, mark: Mark
) -> None:
    known = question.misconceptions
    meant = [entry for entry in known if entry.error_pattern == mark.known]
    exams_own = [text for entry in meant for text in (entry.error_pattern, entry.feedback)]
    for wording in [mark.misconception, *exams_own]:
        assert is_same_misconception(named(str(wording)), mark, known), wording


@pytest.mark.parametrize(("question", "mark"), TAUGHT, ids=[question.question_id for question, _ in TAUGHT])
def test_what_a_teacher_saw_elsewhere_is_not_found(question: Question, mark: Mark) -> None:
    for other, elsewhere in TAUGHT:
        if other is not question:
            naming = named(str(elsewhere.misconception))
            assert not is_same_misconception(naming, mark, question.misconceptions), naming.common_error


@given(st.sampled_from(TAUGHT), st.randoms(use_true_random=False), st.sampled_from([" ", "_", ", ", " - "]))
def test_order_case_and_punctuation_of_words_do_not_count(taught: Taught, random: Random, between: str) -> None:
    question, mark = taught
    words = str(mark.misconception).split()
    random.shuffle(words)
    naming = named(between.join(words).upper())
    assert is_same_misconception(naming, mark, question.misconceptions)


@given(st.lists(st.sampled_from(TAUGHT), max_size=8))
def test_those_found_are_counted_out_of_those_the_teacher_saw(kept: list[Taught]) -> None:
    questions = [question for question, _ in kept]
    numbers = range(1, len(kept) + 1)
    renumbered = [q.model_copy(update={"question_number": n}) for q, n in zip(questions, numbers, strict=True)]
    marks = {number: mark for number, (_, mark) in zip(numbers, kept, strict=True)}
    right = [_feedback(n, named(str(mark.misconception))) for n, mark in marks.items() if n % 2]
    wrong = [_feedback(n, named("Quite another thing") if n % 4 else None) for n in numbers if not n % 2]

    scores = scores_of([*right, *wrong], renumbered, marks)

    assert misconceptions_found([*right, *wrong], renumbered, marks) == [n for n in numbers if n % 2]
    assert (scores.misconceptions_found, scores.misconceptions_seen) == (len(right), len(kept))


def _feedback(number: int, misconception: MisconceptionFeedback | None) -> QuestionFeedback:
    return QuestionFeedback(
        question_id="q", question_number=number, section_id="s", marks_earned=0, marks_possible=1, is_correct=False,
        feedback_summary="f", correct_approach="c", related_concept="r", misconception_detected=misconception,
    )  # fmt: skip
