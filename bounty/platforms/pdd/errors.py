"""Errors of the platform, grouped into families by what to do: wait and retry, or stop and tell a person.

The body's key and code identify an error; the HTTP status does not.
"""

import re
from typing import Final, Literal

from bounty.errors import BountyError

Family = Literal["BUSY", "DOWN", "GARBLED", "CALL", "ACCESS", "FORBIDDEN", "CLOCK", "UNKNOWN"]
RETRYABLE: Final = frozenset({"BUSY", "DOWN", "GARBLED"})
"""Families of temporary errors. The client retries them a limited number of times; the others need a person."""

_CODES: Final[dict[Family, tuple[int, ...]]] = {
    "BUSY": (52101, 70031),
    "DOWN": (50000, 50002, 52001, 52002, 52102, 52103, 70033),
    "CALL": (10000, 10001, 21001, 21002, 52004),
    "ACCESS": (10016, 10017, 10019, 20004, 20005, 20031, 20032, 20034, 20035, 70036),
    "FORBIDDEN": (70032, 70034, 70035),
}
FAMILIES: Final = {code: family for family, codes in _CODES.items() for code in codes}
"""Error code -> family. Code 50001 is missing: only its message shows whether the server or the caller is at fault."""
_SERVER_FAULT: Final = re.compile(
    "系统|内部|繁忙|超时|稍后|重试|不可用|system|internal|busy|time ?out|unavailable|try again", re.IGNORECASE
)

_ADVICE: Final[dict[Family, tuple[str, str]]] = {
    "BUSY": ("it limits how often it is asked: run this again in some minutes", "调用受限：请过几分钟再运行"),
    "DOWN": ("it is down or under maintenance: run this again later", "平台故障或维护中：请稍后再运行"),
    "GARBLED": (
        "its replies could not be read: run this again later",
        "平台的应答无法读取：请稍后再运行",
    ),
    "CALL": (
        "it did not understand the call, and asking again would not help: report this with the message",
        "平台不接受这次调用的参数，重试无用：请把这条信息报告给维护者",
    ),
    "ACCESS": (
        "it does not let this application in: look at BOUNTY_PLATFORM_CLIENT_ID, its secret, permissions and IP list",
        "平台不允许本应用调用：请核对 BOUNTY_PLATFORM_CLIENT_ID、密钥、权限包和控制台里的 IP 白名单",
    ),
    "FORBIDDEN": (
        "it has forbidden these calls for risk: ask nothing more before the platform's support has answered",
        "平台出于风控禁止调用：请先联系平台客服，不要再试",
    ),
    "CLOCK": ("", ""),
    "UNKNOWN": (
        "the program does not know this code and does not ask again blindly: look it up in the platform's documents",
        "程序不认识这个错误码，不会盲目重试：请查阅平台文档",
    ),
}


class PlatformError(BountyError):
    """A call failed, at the platform or on the network.

    family   the kind of error, which decides about retries and advice
    """

    def __init__(self, family: Family, en: str, zh: str) -> None:
        super().__init__(en, zh)
        self.family = family


def family_of(code: int, message: str) -> Family:
    """The family of an error response.

    >>> family_of(50001, "时间跨度不能超过24小时"), family_of(50001, "系统内部错误"), family_of(52101, "")
    ('CALL', 'DOWN', 'BUSY')
    """
    if code == 50001:
        return "DOWN" if _SERVER_FAULT.search(message) else "CALL"
    return FAMILIES.get(code, "UNKNOWN")


def refused_call(code: int, message: str) -> PlatformError:
    """The exception for an error response, with advice."""
    family = family_of(code, message)
    en, zh = _ADVICE[family]
    return PlatformError(
        family,
        f"The platform refused with {code} {message!r}: {en}.",
        f"平台报错 {code}「{message}」：{zh}。",
    )


def no_response(problem_en: str, problem_zh: str, family: Family = "GARBLED") -> PlatformError:
    """The exception for a missing or unreadable response, with advice."""
    en, zh = _ADVICE[family]
    return PlatformError(
        family, f"The platform did not answer ({problem_en}): {en}.", f"平台没有应答（{problem_zh}）：{zh}。"
    )


def clock_error(seconds: int) -> PlatformError:
    """The exception for clocks that differ so much that the platform refuses calls.

    seconds   the platform's clock minus ours
    """
    minutes = abs(seconds) // 60
    direction_en, direction_zh = ("behind", "慢") if seconds > 0 else ("ahead of", "快")
    return PlatformError(
        "CLOCK",
        f"This machine's clock is {minutes} minutes {direction_en} the platform's, which takes at most 10: "
        "set it right (NTP).",
        f"本机时钟比平台{direction_zh} {minutes} 分钟，平台最多允许 10 分钟：请校准时钟（NTP）。",
    )
