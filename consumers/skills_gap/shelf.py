"""The learner's state as the flow uses it, for one competency."""

from consumers.engine.context import Context
from consumers.skills_gap.records import Company, Gap, Learner, Path

_SELF = "self"


class Shelf:
    """Gap and path of one competency, the learner, the companies. Writes are the event's until it is done."""

    def __init__(self, context: Context, competency: str) -> None:
        self._competency = competency
        self._gaps = context.state("gaps", Gap)
        self._paths = context.state("paths", Path)
        self._learner = context.state("learner", Learner)
        self._companies = context.state("companies", Company)

    @property
    def gap(self) -> Gap | None:
        """What the learner lacks."""
        return self._gaps.get(self._competency)

    @property
    def path(self) -> Path | None:
        """The path as it was last published."""
        return self._paths.get(self._competency)

    @property
    def learner(self) -> Learner | None:
        """Who the learner is."""
        return self._learner.get(_SELF)

    def company(self, company_id: str) -> Company | None:
        """A company that an event of this learner named."""
        return self._companies.get(company_id)

    def keep(self, *records: Gap | Path | Learner | Company) -> None:
        """Remember records in place of what is known. Raises OutputTooLargeError for one that no changelog takes."""
        for record in records:
            match record:
                case Gap():
                    self._gaps.put(self._competency, record)
                case Path():
                    self._paths.put(self._competency, record)
                case Learner():
                    self._learner.put(_SELF, record)
                case Company():
                    self._companies.put(record.company_id, record)
