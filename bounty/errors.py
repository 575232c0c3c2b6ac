"""Refusals: what a person asked for, why it can't be done, and what to do about it."""


class BountyError(Exception):
    """A refusal. Its text is one line for a person: what is wrong and what to do. Nothing has changed."""


class RefusedFile(BountyError):
    """A file that is wholly wrong (other kind, encoding or headers). No row of it was taken in.

    code    one of the catalogue's codes, such as ``E-HEAD``
    zh, en  the reason and what would be right, in Chinese and in English
    """

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(f"{code} {en} / {zh}")
        self.code, self.zh, self.en = code, zh, en
