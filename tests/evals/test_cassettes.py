"""Recorded answers are given again exactly; where a prompt has changed, what is said names the remedy."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from agents.prompts import data_block
from clients.llm import Answer, Prompt
from schemas.errors import ModelBlockedError, ModelError, ModelRejectedError, ModelTransientError, ModelTruncatedError
from tests.evals.cassettes import FOLDER, Cassette, CassetteError, Recorder, Tape, digest, path_of
from tests.evals.grading import grade
from tests.exams import NAMES

PROMPT = Prompt(instructions="Grade.", data=data_block({"questions": [{"number": 3}, {"number": 4}]}))
ONE = replace(PROMPT, data=data_block({"questions": [{"number": 7}]}))
SUMMARY = replace(PROMPT, data=data_block({"lost": []}))


class Scripted:
    """A provider that gives one thing after the other."""

    name = "fake/scripted"

    def __init__(self, *given: str | ModelError) -> None:
        self._given = list(given)

    async def generate(self, request: Prompt) -> Answer:  # noqa: ARG002
        given = self._given.pop(0)
        if isinstance(given, ModelError):
            raise given
        return Answer(text=given, model=self.name, finish_reason="STOP")


async def taped(folder: Path, *calls: tuple[Prompt, str | ModelError]) -> Cassette:
    """A cassette on which these calls were recorded."""
    recorder = Recorder(Scripted(*(given for _, given in calls)))
    for prompt, given in calls:
        if isinstance(given, ModelError):
            with pytest.raises(type(given)):
                await recorder.generate(prompt)
        else:
            assert (await recorder.generate(prompt)).text == given
    recorder.save("exam", folder)
    return Cassette.load("exam", folder)


@pytest.mark.parametrize("text", ['{"marks": "½"}', "```json\n{}\n```", "no JSON", "[1]", "{"])
async def test_an_answer_is_given_again_as_it_came(tmp_path: Path, text: str) -> None:
    cassette = await taped(tmp_path, (PROMPT, text), (SUMMARY, "{}"))

    again = await cassette.generate(PROMPT)

    assert (again.text, again.model) == (text, "fake/scripted")
    assert not cassette.outdated


@pytest.mark.parametrize("error", [ModelBlockedError("SAFETY"), ModelTruncatedError("cut")])
async def test_a_refusal_is_given_again_too(tmp_path: Path, error: ModelError) -> None:
    cassette = await taped(tmp_path, (PROMPT, error))

    with pytest.raises(type(error)):
        await cassette.generate(PROMPT)


async def test_a_correction_has_an_answer_of_its_own(tmp_path: Path) -> None:
    corrected = replace(PROMPT, instructions="Grade. Your previous answer could not be used.")
    cassette = await taped(tmp_path, (PROMPT, '{"marks": 99}'), (corrected, '{"marks": 1}'))

    assert (await cassette.generate(PROMPT)).text == '{"marks": 99}'
    assert (await cassette.generate(corrected)).text == '{"marks": 1}'


@pytest.mark.parametrize("error", [ModelTransientError("busy"), ModelRejectedError("gemini answered 401")])
async def test_a_failure_of_the_provider_is_not_recorded(error: ModelError) -> None:
    with pytest.raises(CassetteError, match=f"the cassette stays as it was: {error}"):
        await Recorder(Scripted(error)).generate(PROMPT)


@pytest.mark.parametrize(
    ("prompt", "about"), [(PROMPT, "questions 3 to 4"), (ONE, "question 7"), (SUMMARY, "the summary")]
)
async def test_where_the_data_has_changed_the_error_names_what_is_asked_and_the_remedy(
    tmp_path: Path, prompt: Prompt, about: str
) -> None:
    other = replace(prompt, data=prompt.data.replace("}", ',"more":1}', 1))
    cassette = await taped(tmp_path, (prompt, "{}"))

    with pytest.raises(CassetteError, match=f"{about}; record anew: make eval RECORD=1, with GOOGLE_") as missing:
        await cassette.generate(other)

    # What the error says to do by hand, done: the answer is found again.
    digest = str(missing.value).split()[-1]
    content = json.loads(path_of("exam", tmp_path).read_text())
    content["takes"][0]["data"] = digest
    path_of("exam", tmp_path).write_text(json.dumps(content))
    assert (await Cassette.load("exam", tmp_path).generate(other)).text == "{}"


async def test_where_only_the_instructions_have_changed_the_last_answer_is_given_and_noted(tmp_path: Path) -> None:
    corrected = replace(PROMPT, instructions="Grade. Your previous answer could not be used.")
    cassette = await taped(tmp_path, (PROMPT, '{"marks": 99}'), (corrected, '{"marks": 1}'))

    answer = await cassette.generate(replace(PROMPT, instructions="Grade kindly."))

    assert answer.text == '{"marks": 1}'
    assert cassette.outdated == {digest(corrected.instructions): digest("Grade kindly.")}


def test_an_exam_without_a_cassette_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="make eval RECORD=1"):
        Cassette.load("exam", tmp_path)


async def test_a_summary_without_a_recorded_answer_is_not_computed_in_silence(tmp_path: Path) -> None:
    tape = Tape.model_validate_json(path_of(NAMES[0]).read_bytes())
    takes = [take for take in tape.takes if take.asked != "the summary"]
    cassette = Cassette(NAMES[0], tape.model_copy(update={"takes": takes}))

    with pytest.raises(CassetteError, match="the summary"):
        await grade(NAMES[0], cassette)


@pytest.mark.parametrize("name", NAMES)
async def test_a_cassette_of_the_project_answers_every_call_of_todays_prompts_once(name: str) -> None:
    cassette = Cassette.load(name)
    tape = Tape.model_validate_json(path_of(name).read_bytes())

    graded = await grade(name, cassette)

    assert not cassette.outdated, "the instructions have changed; `make eval` says what to do"
    assert graded.evaluation.generated_by == tape.source
    assert [take.asked for take in tape.takes].count("the summary") == 1
    assert len(tape.takes) == len(graded.evaluation.batches) + 1
    assert tape.source.startswith("gemini/") or "Not recorded from a model" in tape.note


def test_every_cassette_belongs_to_a_fixture() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(NAMES)
