"""What is sent when, and what counts as the answer, however the bytes are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.connections.base import Become, Question
from remotejobs.connections.become import BEGIN, PROMPT, READY
from remotejobs.connections.exchange import Exchange
from remotejobs.errors import BecomeFailed, ProtocolError

SCRIPT = b"the script\n"
END = b"--end--\n"


def exchange(become: Become | None = None, max_bytes: int = 10_000) -> Exchange:
    return Exchange("db1", Question(SCRIPT, end=END, timeout=1, max_bytes=max_bytes, become=become))


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:stop] for start, stop in itertools.pairwise(at)]


@given(st.binary(max_size=300).filter(lambda data: END not in data + END[:-1]), st.lists(st.integers(0, 1000)))
def test_the_answer_ends_with_the_mark_however_it_is_cut(answer: bytes, cuts: list[int]) -> None:
    talk = exchange()
    for piece in pieces(answer + END + b"what comes later", cuts):
        if not talk.ended:
            talk.take_stdout(piece)

    assert talk.reply().stdout == answer + END
    assert talk.reply().complete


@given(st.binary(max_size=100), st.lists(st.integers(0, 1000)), st.sampled_from(["word", None]))
def test_the_script_follows_the_wrappers_word_however_it_is_cut(
    noise: bytes, cuts: list[int], password: str | None
) -> None:
    talk = exchange(Become("root", password))
    sent = talk.opening()
    for piece in pieces(noise + READY + b"answer" + END, cuts):
        if not talk.ended:
            sent += talk.take_stdout(piece)

    assert sent == (b"word\n" if password else b"") + BEGIN + SCRIPT
    assert talk.reply().stdout.endswith(b"answer" + END)


@given(st.binary(max_size=100).filter(lambda data: READY not in data), st.binary(max_size=100))
def test_nothing_but_the_password_is_sent_before_the_wrapper_was_heard(stdout: bytes, stderr: bytes) -> None:
    talk = exchange(Become("root", "word"))

    assert talk.opening() == b"word\n"
    assert talk.take_stdout(stdout) == b""
    assert talk.take_stderr(stderr.replace(PROMPT, b"")) == b""
    assert not talk.said_all


@given(st.lists(st.integers(0, 1000)))
def test_a_second_prompt_is_a_wrong_password_however_it_is_cut(cuts: list[int]) -> None:
    talk = exchange(Become("root", "word"))

    *before, last = pieces(PROMPT + b"Sorry, try again.\n" + PROMPT, cuts)
    for piece in before:
        talk.take_stderr(piece)
    with pytest.raises(BecomeFailed, match="db1: sudo did not accept the password"):
        talk.take_stderr(last)


def test_a_prompt_printed_by_the_script_is_no_prompt() -> None:
    talk = exchange(Become("root", "word"))
    talk.take_stdout(READY)

    talk.take_stderr(PROMPT * 3)
    assert not talk.reply().complete


def test_sudos_words_are_the_message_when_it_ends_early() -> None:
    talk = exchange(Become("root"))
    talk.take_stderr(b"noise of the login\nsudo: no tty present\nmore noise\n")

    with pytest.raises(BecomeFailed, match=r"db1: sudo to root failed: sudo: no tty present; more noise\."):
        talk.reply()


def test_too_much_before_the_wrapper_is_damage_too() -> None:
    with pytest.raises(ProtocolError):
        exchange(Become("root"), max_bytes=10).take_stdout(b"x" * 11)


def test_the_last_of_stderr_is_kept() -> None:
    talk = exchange()
    talk.take_stderr(b"first" + b"x" * 9000)
    talk.take_stderr(b"last")

    assert len(talk.reply().stderr) == 8 * 1024
    assert talk.reply().stderr.endswith(b"xlast")
