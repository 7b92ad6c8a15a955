"""A student's answers to an exam, with the exam (seed 003's ExamSubmissionWithExam); topic `exam_submitted`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, Field, model_validator

from schemas.envelope import InputModel, LearnerIdText
from schemas.exam import IdText, LenientText, MockExam, QuestionType


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_in_utc)]
Minutes = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class AnswerResponse(LenientText):
    """What a student gave as an answer; all of it absent or blank means: nothing."""

    selected_option: str | None = None
    selected_options: list[str] | None = None
    response_text: str | None = None
    numeric_value: float | None = None
    drawing_data: dict[str, Any] | list[Any] | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """The options selected, in whichever of the two fields, each once, without blanks."""
        given = [self.selected_option or "", *(self.selected_options or [])]
        return tuple(dict.fromkeys(option.strip() for option in given if option.strip()))

    @property
    def text(self) -> str:
        """What was written; empty for nothing."""
        return (self.response_text or "").strip()


class SubmittedAnswer(InputModel):
    """One question's answer. The front end's types say `was_flagged`, its code `is_flagged`: both are taken."""

    question_id: IdText
    question_number: int = Field(ge=1)
    section_id: IdText
    question_type: QuestionType
    response: AnswerResponse = Field(default_factory=AnswerResponse)
    time_spent_seconds: float = Field(default=0, ge=0)
    was_flagged: bool = Field(
        default=False, validation_alias=AliasChoices("was_flagged", "wasFlagged", "is_flagged", "isFlagged")
    )
    was_changed: bool = False
    change_count: Count = 0


class SubmissionMetadata(InputModel):
    """When the attempt was begun and handed in; durations in minutes. A time without a zone is UTC.

    `time_spent_minutes` is less than 0 where a clock was set back: the rules answer that, the front end waits for it.
    """

    started_at: Moment
    submitted_at: Moment
    time_limit_minutes: Minutes
    time_spent_minutes: float
    time_overage_minutes: Minutes = 0
    was_auto_submitted: bool = False


class ExamContext(InputModel):
    """The front end's own counts: for whoever reads the event, nothing is computed from them.

    `sections_completed` is a list of ids in the front end's types and a count in its code.
    """

    total_questions: Count = 0
    questions_answered: Count = 0
    questions_skipped: Count = 0
    questions_flagged: Count = 0
    sections_completed: Count | list[str] = 0


class ExamSubmission(InputModel):
    """A submission, bare or as the `eventData` of the upstream's envelope. Its learner is the student.

    Without `mock_exam` it is valid and will be rejected: somebody waits for that answer.
    """

    event_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    event_type: Literal["EXAM_SUBMITTED"] = "EXAM_SUBMITTED"
    submission_id: IdText
    exam_id: IdText
    attempt_id: IdText
    student_id: LearnerIdText
    course_id: IdText
    submission_metadata: SubmissionMetadata
    answers: list[SubmittedAnswer] = Field(default_factory=list)
    exam_context: ExamContext = Field(default_factory=ExamContext)
    mock_exam: MockExam | None = None

    @property
    def user_id(self) -> str:
        """The learner, whose id is the record's key."""
        return self.student_id

    @model_validator(mode="before")
    @classmethod
    def _take_out_of_the_envelope(cls, content: Any) -> Any:
        """Lay the envelope's id and type over its data; an envelope of another learner is refused."""
        if not isinstance(content, Mapping):
            return content
        data = _either(content, "eventData", "event_data")
        if not isinstance(data, Mapping):
            return content
        user, student = _either(content, "userId", "user_id"), _either(data, "studentId", "student_id")
        if user is not None and student is not None and user != student:
            raise ValueError("userId is not eventData.student_id")
        envelope = {
            "eventId": _either(content, "eventId", "event_id"),
            "eventType": _either(content, "eventType", "event_type"),
        }
        taken = {name: value for name, value in data.items() if name not in ("event_id", "event_type")}
        return taken | envelope


def _either(content: Mapping[Any, Any], camel: str, snake: str) -> Any:
    value = content.get(camel)
    return content.get(snake) if value is None else value
