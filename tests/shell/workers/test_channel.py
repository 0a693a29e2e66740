"""Questions and answers between the supervisor and a worker."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from corsproxy.shell.workers.channel import Answers, Order, Questions, bytes_of, text_of

Ends = tuple[Questions, Answers, socket.socket]


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    """Both ends; the socket is a further hold on the worker's."""
    ours, theirs = socket.socketpair()
    with theirs.dup() as again:
        questions, answers = await Questions.connect(ours), await Answers.connect(theirs)
        yield questions, answers, again
        for each in (questions, answers):
            each.close()
    await questions.lost()


async def test_answers_come_in_the_order_of_the_questions(ends: Ends) -> None:
    questions, answers, _ = ends
    asked = [asyncio.create_task(questions.ask(Order.ADOPT, {"number": n})) for n in range(3)]
    for number in range(3):
        assert await answers.question() == (Order.ADOPT, {"number": number})
    for number in range(3):
        answers.say({"answer": number})
    assert await asyncio.gather(*asked) == [{"answer": number} for number in range(3)]


async def test_a_late_answer_is_not_given_to_another_question(ends: Ends) -> None:
    questions, answers, _ = ends
    impatient = asyncio.create_task(questions.ask(Order.COUNT))
    await answers.question()
    impatient.cancel()
    patient = asyncio.create_task(questions.ask(Order.DRAIN))
    assert await answers.question() == (Order.DRAIN, {})
    answers.say({"figures": 1})
    answers.say({"in_flight": 2})
    assert await patient == {"in_flight": 2}


async def test_the_largest_file_gets_through(ends: Ends) -> None:
    questions, answers, _ = ends
    content = bytes(range(256)) * 4096
    asked = asyncio.create_task(questions.ask(Order.ADOPT, {"content": text_of(content)}))
    question = await answers.question()
    assert question is not None
    assert bytes_of(str(question[1]["content"])) == content
    answers.say({})
    await asked


async def test_waiting_for_a_lost_worker_raises(ends: Ends) -> None:
    questions, answers, again = ends
    asked = asyncio.create_task(questions.ask(Order.COUNT))
    await answers.question()
    answers.close()
    again.close()
    with pytest.raises(ConnectionError):
        await asked
    await questions.lost()
    with pytest.raises(ConnectionError):
        await questions.ask(Order.COUNT)


async def test_a_worker_that_ends_in_the_middle_of_an_answer_has_gone(ends: Ends) -> None:
    questions, answers, again = ends
    asked = asyncio.create_task(questions.ask(Order.COUNT))
    await answers.question()
    again.send(b'{"half": ')
    answers.close()
    again.close()
    with pytest.raises(ConnectionError):
        await asked


async def test_a_lost_supervisor_ends_the_questions(ends: Ends) -> None:
    questions, answers, _ = ends
    questions.close()
    assert await answers.question() is None


async def test_it_is_known_when_the_worker_was_last_heard_of(ends: Ends) -> None:
    questions, answers, _ = ends
    before = questions.heard_at
    asked = asyncio.create_task(questions.ask(Order.COUNT))
    await answers.question()
    answers.say({})
    await asked
    assert questions.heard_at > before
