#!/bin/sh
# Guess:   a block refuses a field that it has none of; at the least it hides what is given in such a field, as it hides
#          what is in a SecretStr.
# Seen:    a misspelt field is taken without a word. What is in it is no secret: `model_dump_json` shows it in clear. When
#          the block is saved it is dropped, and the field that was meant has its default in the block that is loaded.
# Version: Prefect 3.9.1, Python 3.11.
# Matters: a password in a misspelt optional field is in every dump of the block and not in its document, and whoever loads
#          that logs in without one. A block of one's own wants extra="forbid". Saved as part of another block it cannot be
#          loaded then, unless it leaves out the key block_type_slug, which Prefect adds to what it saves.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3.11 -m venv env
env/bin/pip -qq --disable-pip-version-check install prefect==3.9.1
export PREFECT_HOME="$work/home" PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1 PREFECT_LOGGING_LEVEL=ERROR
unset PREFECT_API_URL PREFECT_PROFILE
cat > try.py << 'END'
import sys
from importlib.metadata import version

from prefect.blocks.core import Block
from pydantic import SecretStr
from prefect.testing.utilities import prefect_test_harness


class Login(Block):
    password: SecretStr = SecretStr("")


class Strict(Block):
    model_config = {"extra": "forbid"}
    password: SecretStr = SecretStr("")


class Outer(Block):
    login: Strict


print("Prefect", version("prefect"))
meant, misspelt = Login(password="sesame"), Login(pasword="sesame")
shown = ["sesame" in block.model_dump_json() for block in (meant, misspelt)]
print(f"in clear in a dump: in its field {shown[0]}, in a misspelt one {shown[1]}")
with prefect_test_harness(server_startup_timeout=300):
    misspelt.save("login")
    loaded = Login.load("login")
    kept = hasattr(loaded, "pasword") or bool(loaded.password.get_secret_value())
    print(f"saved and loaded: {loaded!r}; the word was kept: {kept}")
    Strict(password="sesame").save("strict")
    strict = Strict.load("strict").password.get_secret_value() == "sesame"
    print(f"one with extra=forbid, saved and loaded, has its word: {strict}")
    Outer(login=Strict(password="sesame")).save("outer")
    try:
        Outer.load("outer")
        refused = ""
    except RuntimeError as exc:
        refused = " ".join(str(exc.__cause__).split())
    print(f"the same within another block: {refused or 'loaded'}")
sys.exit(shown != [False, True] or kept or not strict or "block_type_slug Extra inputs" not in refused)
END
env/bin/python try.py || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
