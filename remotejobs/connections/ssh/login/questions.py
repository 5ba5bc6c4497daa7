"""What a server may ask that a password is no answer to."""

from __future__ import annotations

# What somebody has to read off a device, and what a server asks who wants a password changed: a pattern for Python
# and for grep -E, without regard to case.
BY_HAND = (
    r"code|token|otp|one.?time|passcode|verif|pin\b|duo|yubikey"
    r"|\b(new|old|current|confirm|repeat|re-?type|re-?enter)\b.*pass|pass.*\bagain\b"
)
