"""Headers that a person has read as another column's: 实付金额 as 实付金额(元), for one file or from then on.

A mapping gives a column of the file another name and nothing else: it makes no column, and never two of one.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bounty.errors import BountyError
from bounty.files import cells
from bounty.files.cells import normalised
from bounty.files.columns import FileColumn, Read
from bounty.files.headers import HeaderRefused

HeaderMapping = Mapping[str, str]
"""A header as the file has it, after NFKC and trimming -> the column that it is read as."""
NO_MAPPING: Final[HeaderMapping] = {}
NAME_LIMIT: Final = 100
"""Characters of a header that can be mapped."""
_UNIT: Final = re.compile(r"[(/](元|分|角|厘|千元|万元|美元|USD)\)?\Z")
_UNITS_OF: Final[dict[Read, str]] = {cells.yuan: "元", cells.fen_cell: "分"}


def checked_mapping(mapping: HeaderMapping, columns: Sequence[FileColumn]) -> dict[str, str]:
    """A mapping as it is applied.

    columns   those of a kind of file, under all of their names
    Raises    BountyError for a column that there is not, a header that is a column's name itself, another unit, and two
              headers for one column
    """
    of_name = {column.name: column for column in columns}
    checked: dict[str, str] = {}
    for given, wanted in mapping.items():
        header, name = normalised(given), normalised(wanted)
        if not header or len(header) > NAME_LIMIT:
            raise BountyError(
                "Name a header of the file, such as 实付金额.", "请写明文件里的列名，如 实付金额。"
            )
        if name not in of_name:
            raise BountyError(
                f"{name!r} is no column of such files: {', '.join(of_name)}.",
                f"没有「{name}」这一列：可用的是 {'、'.join(of_name)}。",
            )
        if header in of_name:
            raise BountyError(
                f"{header} is a column itself and can't be read as {name}.",
                f"「{header}」本身就是一列，不能当作「{name}」。",
            )
        unit, meant = _UNIT.search(header), _UNITS_OF.get(of_name[name].read)
        if unit and meant and unit[1] != meant:
            raise BountyError(
                f"{header} is in {unit[1]} and {name} in {meant}: a header's unit can't be mapped away.",
                f"「{header}」的单位是{unit[1]}，「{name}」的单位是{meant}：单位不同的列不能对应。",
            )
        if name in checked.values():
            raise _two_of_one(name)
        checked[header] = name
    return checked


def _two_of_one(name: str) -> BountyError:
    return BountyError(
        f"Two columns of the file can't both be {name}.", f"文件里的两列不能都当作「{name}」：请只选一列。"
    )


def renamed(header: Sequence[str], mapping: HeaderMapping) -> list[str]:
    """A header with the names of its mapped columns; a column that stands there already stays the only one.

    Raises RefusedFile E-HEAD where two of its columns are mapped to one.

    >>> renamed(["实付金额", "备注"], {"实付金额": "实付金额(元)", "金额": "佣金(元)"})
    ['实付金额(元)', '备注']
    """
    used = applied(header, mapping)
    if len(set(used.values())) < len(used):
        doubled = sorted(name for name in used if list(used.values()).count(used[name]) > 1)
        raise HeaderRefused("columns of one meaning", 0, columns=", ".join(doubled))
    return [used.get(name, name) for name in header]


def applied(header: Iterable[str], mapping: HeaderMapping) -> dict[str, str]:
    """What of a mapping a header makes use of."""
    names = {*header}
    return {own: name for own, name in mapping.items() if own in names and name not in names}


def renamed_raw(shape: str, header: Sequence[str]) -> str:
    """A header as it is kept with a batch, to read its rows again; of names alone."""
    if shape == "xlsx":
        return json.dumps(list(header), ensure_ascii=False)
    delimiter = "\t" if shape == "tsv" else ","
    return delimiter.join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in header)
