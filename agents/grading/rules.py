"""Seed 003's error table: what makes a well-formed submission one that is answered with a rejection. Pure."""

from collections.abc import Iterator

from agents.grading.key import selected
from schemas.evaluation import RejectionDetails
from schemas.exam import MockExam, Question
from schemas.submission import ExamSubmission, SubmittedAnswer

_PROBLEMS_TOLD = 20


def exam_missing(submission: ExamSubmission) -> RejectionDetails:
    """The exam did not come along."""
    details = {"exam_id": submission.exam_id}
    return RejectionDetails(code="EXAM_NOT_FOUND", message="Exam not found", details=details)


def attempt_taken(submission: ExamSubmission, taken_by: str) -> RejectionDetails:
    """The attempt was graded for another submission, `taken_by`."""
    return RejectionDetails(
        code="ATTEMPT_ALREADY_SUBMITTED",
        message="Attempt already submitted",
        details={"attempt_id": submission.attempt_id, "graded_submission_id": taken_by},
    )


def not_enrolled(submission: ExamSubmission) -> RejectionDetails:
    """The content service knows no enrolment of the student."""
    details = {"course_id": submission.course_id}
    return RejectionDetails(code="NOT_ENROLLED", message="Not enrolled in course", details=details)


def too_late(submission: ExamSubmission, exam: MockExam, *, grace_minutes: float) -> RejectionDetails | None:
    """The exam's own limit and the grace, in minutes, are over; an attempt that the timer handed in is not late.

    What counts is the longer of the time between begin and end and the time that the front end says was spent: the
    limit that the submission itself names is not believed. A limit of 0 is none.
    """
    told = submission.submission_metadata
    elapsed = (told.submitted_at - told.started_at).total_seconds() / 60
    spent, limit = max(elapsed, told.time_spent_minutes), exam.metadata.time_limit
    if told.was_auto_submitted or not limit or spent <= limit + grace_minutes:
        return None
    return RejectionDetails(
        code="TIME_LIMIT_EXCEEDED",
        message="Time limit exceeded",
        details={
            "overage_minutes": round(spent - limit, 2),
            "time_limit_minutes": limit,
            "grace_minutes": grace_minutes,
        },
    )


def answers_do_not_match(submission: ExamSubmission, exam: MockExam) -> RejectionDetails | None:
    """The exam is another one, or an answer is to a question, section, type or option that the exam does not have.

    So is an attempt that ends before it begins: seed 003 has one answer to what is no valid submission.
    """
    problems = list(_problems(submission, exam))
    if not problems:
        return None
    details: dict[str, object] = {"problems": problems[:_PROBLEMS_TOLD]}
    if len(problems) > _PROBLEMS_TOLD:
        details["more_problems"] = len(problems) - _PROBLEMS_TOLD
    return RejectionDetails(code="ANSWERS_DO_NOT_MATCH_EXAM", message="Validation failed", details=details)


def _problems(submission: ExamSubmission, exam: MockExam) -> Iterator[str]:
    told = submission.submission_metadata
    if told.submitted_at < told.started_at:
        yield "submission_metadata.submitted_at: is before started_at"
    if submission.exam_id != exam.exam_id:
        yield f"exam_id: the submission is for {submission.exam_id}, mock_exam is {exam.exam_id}"
    if submission.course_id != exam.course_id:
        yield f"course_id: the submission is for {submission.course_id}, mock_exam belongs to {exam.course_id}"
    known = {
        question.question_id: (section.section_id, question)
        for section in exam.sections
        for question in section.questions
    }
    first: dict[str, int] = {}
    for place, answer in enumerate(submission.answers):
        where = f"answers.{place}"
        if answer.question_id not in known:
            yield f"{where}.question_id: {answer.question_id} is not a question of this exam"
        elif answer.question_id in first:
            earlier = first[answer.question_id]
            yield f"{where}.question_id: {answer.question_id} is answered at answers.{earlier} already"
        else:
            first[answer.question_id] = place
            section_id, question = known[answer.question_id]
            yield from (f"{where}.{problem}" for problem in _mismatches(answer, section_id, question))


def _mismatches(answer: SubmittedAnswer, section_id: str, question: Question) -> Iterator[str]:
    if answer.section_id != section_id:
        yield f"section_id: question {question.question_id} is in section {section_id}"
    if answer.question_number != question.question_number:
        yield f"question_number: question {question.question_id} is number {question.question_number}"
    if answer.question_type != question.question_type:
        yield f"question_type: question {question.question_id} is {question.question_type}"
    elif question.question_type in ("mcq", "mcq_multiselect"):
        chosen = selected(question, answer.response)
        if chosen - {option.label for option in question.cfu_config.options}:
            yield f"response: question {question.question_id} has no such option"
        if question.question_type == "mcq" and len(chosen) > 1:
            yield f"response: {len(chosen)} options for question {question.question_id}, which takes one"
