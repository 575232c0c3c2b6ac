"""Refusals: what a person asked for, why it can't be done, and what to do about it."""


class BountyError(Exception):
    """A refusal. Its text is one line for a person: what is wrong and what to do. Nothing has changed.

    zh  the same in Chinese, where a page may show it
    """

    def __init__(self, en: str, zh: str | None = None) -> None:
        super().__init__(en)
        self.zh = zh or en


class RefusedFile(BountyError):
    """A file that is wholly wrong (other kind, encoding or headers). No row of it was taken in.

    code    one of the catalogue's codes, such as ``E-HEAD``
    zh, en  the reason and what would be right, in Chinese and in English
    """

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(f"{code} {en} / {zh}", f"{code} {zh}")
        self.code, self.en = code, en
