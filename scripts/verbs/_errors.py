"""The one way in which a verb ends early."""

from __future__ import annotations


class Stop(Exception):  # noqa: N818 - it ends the program as the user asked or caused, it is no fault of ours
    """End with *code*, having told the user *message* (nothing, where the log has said it already)."""

    def __init__(self, message: str = "", code: int = 1) -> None:
        super().__init__(message)
        self.message, self.code = message, code
