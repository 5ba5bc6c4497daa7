"""What is known of a command before it runs: only what stands there literally."""

from __future__ import annotations

import pytest

from remotejobs.operations.migration.programs import FirstWords, first_words


@pytest.mark.parametrize(
    ("cmd", "known"),
    [
        ("psql -X -f up.sql shop", FirstWords("psql", "up.sql")),
        ("# up\n\nset -eu\nPGHOST=db X=1 psql -f - <up.sql", FirstWords("psql")),
        ("/srv/app/manage.py migrate;true", FirstWords("/srv/app/manage.py")),
        ("python3 manage.py migrate|tee log", FirstWords("python3", "manage.py")),
        ("python3 -m alembic upgrade head", FirstWords("python3")),
        ("sh ~/undo.sh 'two words'", FirstWords("sh", "~/undo.sh")),
        (". ./env.sh && true", FirstWords(".", "./env.sh")),
        (". env.sh", FirstWords(".")),
        ("cd /srv && ./x", FirstWords("cd")),
        ("if true; then x; fi", FirstWords("if")),
        # What the shell still changes, or looks for elsewhere, is not known.
        ('"$TOOL" up', FirstWords()),
        ("$(which x) up", FirstWords()),
        ("'a tool' up", FirstWords()),
        ("f() { true; }; f", FirstWords()),
        ("PATH=/opt/bin tool", FirstWords()),
        ("( cd x )", FirstWords()),
        ("sh $FILE", FirstWords("sh")),
        ("tool \\\n  --all", FirstWords()),
        ("echo 'two\nlines'", FirstWords("echo")),
        ("", FirstWords()),
        ("# nothing", FirstWords()),
    ],
)
def test_the_first_program_and_what_it_reads(cmd: str, known: FirstWords) -> None:
    assert first_words(cmd) == known
