"""Exceptions for requests that are refused, with a text for the person who made the request."""


class BountyError(Exception):
    """A refused request. The text is one line that says what is wrong and what to do. Nothing was changed.

    en  the text in English
    zh  the text in Chinese; the English text if there is none
    """

    def __init__(self, en: str, zh: str | None = None) -> None:
        super().__init__(en)
        self.zh = zh or en


class RefusedFile(BountyError):
    """A file that is refused as a whole, for its kind, encoding or headers. No row of it is imported.

    code    the problem's code, such as ``E-HEAD``
    zh, en  the problem and how to fix it, in Chinese and in English
    """

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(f"{code} {en} / {zh}", f"{code} {zh}")
        self.code, self.en = code, en
