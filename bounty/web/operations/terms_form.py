"""The form of the terms, to a document and back.

A document is what TOML text is parsed into; ``toml_of`` writes one. Whether it holds, ``rules.terms`` decides.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bounty.json_types import Json, JsonObject
from bounty.web.operations.terms_fields import LEVEL_FIELDS, PARTS, TIER_FIELDS, Kind, TermField

MORE_LEVELS, MORE_TIERS = 1, 2
"""Blank rows below the levels and tiers that there are."""
MOST_ROWS = 20
_FORMULA = ("history_periods", "factor", "floor", "ceiling", "step")
_DEFAULT_LEVEL = {"name": "V1", "gmv_yuan": "3000.00"}
_DEFAULT_TIER = {"at": "1.00", "rate_permille": "20"}


@dataclass(frozen=True, slots=True)
class FilledForm:
    """The text of every field, as it stands in the form."""

    parts: dict[str, dict[str, str]]
    """Part -> key -> text; a flag is ``y`` or blank."""
    levels: list[dict[str, str]]
    tiers: list[dict[str, str]]


def form_of(document: Mapping[str, Json] | None) -> FilledForm:
    """The form of a version, or, without one, with the defaults; with blank rows for more levels and tiers."""
    if document is None:
        parts = {part.key: {field.key: field.default for field in part.fields} for part in PARTS}
        return _with_blank_rows(FilledForm(parts, [dict(_DEFAULT_LEVEL)], [dict(_DEFAULT_TIER)]))
    parts = {
        part.key: {
            field.key: _text(_part_of(document, part.key).get(field.key, field.left_out))
            for field in part.fields
        }
        for part in PARTS
    }
    levels = []
    for name, value in _table(document["levels"]).items():
        level = _table(value)
        gmv = level.get("gmv_yuan")
        formula = _table(gmv)
        given = {**level, **formula, "name": name, "gmv_yuan": None if formula else gmv}
        levels.append({field.key: _text(given.get(field.key)) for field in LEVEL_FIELDS})
    tiers = [{key: _text(value) for key, value in tier.items()} for tier in _tiers(document)]
    return _with_blank_rows(FilledForm(parts, levels, tiers))


def posted(fields: Mapping[str, str]) -> FilledForm:
    """The form as somebody sent it."""
    parts = {
        part.key: {field.key: fields.get(f"{part.key}-{field.key}", "").strip() for field in part.fields}
        for part in PARTS
    }
    return FilledForm(parts, _rows(fields, "level", LEVEL_FIELDS), _rows(fields, "tier", TIER_FIELDS))


def document_of(form: FilledForm) -> JsonObject:
    """The document that a form says; what can't be read stays text, for the terms to refuse by name."""
    document: JsonObject = {}
    for part in PARTS:
        values = _values(form.parts[part.key], part.fields)
        document |= values if not part.key else {part.key: values} if values else {}
    document["virtual"] = {"types": [], "category_ids": [], **_part_of(document, "virtual")}
    levels: JsonObject = {}
    for row in form.levels:
        if not row.get("name"):
            continue
        values = _values(row, LEVEL_FIELDS)
        formula = {key: values.pop(key) for key in _FORMULA if key in values}
        if formula:
            values["gmv_yuan"] = formula
        levels[row["name"]] = {key: value for key, value in values.items() if key != "name"}
    document["levels"] = levels
    tiers = [_values(row, TIER_FIELDS) for row in form.tiers if row.get("at") or row.get("rate_permille")]
    document["subsidy"] = {**_part_of(document, "subsidy"), "tiers": tiers}
    return document


def toml_of(document: Mapping[str, Json]) -> str:
    """A document of terms as TOML text."""
    top = [f"{key} = {_toml(value)}" for key, value in document.items() if not isinstance(value, dict)]
    lines = [*top]
    for key in ("task", "virtual", "levels", "subsidy", "notice"):
        if key not in document:
            continue
        part = _table(document[key])
        tables = {f"levels.{_key(name)}": _table(level) for name, level in part.items()}
        for name, table in (tables if key == "levels" else {key: part}).items():
            lines += [
                "",
                f"[{name}]",
                *(f"{each} = {_toml(value)}" for each, value in table.items() if each != "tiers"),
            ]
    for tier in _tiers(document):
        lines += ["", "[[subsidy.tiers]]", *(f"{key} = {_toml(value)}" for key, value in tier.items())]
    return "\n".join(lines) + "\n"


def label_of(path: str) -> tuple[str, str] | None:
    """The words of a term by its path in the file, as ``task.order_cap_yuan``; null where it has none."""
    part, _, key = path.rpartition(".")
    if part.startswith("levels."):
        level, fields = part.split(".")[1], LEVEL_FIELDS
        prefix: tuple[str, str] = (f"{level} ", f"{level}: ")
    elif part.startswith("subsidy.tiers."):
        step, fields = part.rpartition(".")[2], TIER_FIELDS
        prefix = (f"第 {step} 档 ", f"Tier {step}: ")
    else:
        found = next((each for each in PARTS if each.key == part), None)
        fields, prefix = (() if found is None else found.fields), ("", "")
    field = next((each for each in fields if each.key == key), None)
    return None if field is None else (prefix[0] + field.zh, prefix[1] + field.en)


def _with_blank_rows(form: FilledForm) -> FilledForm:
    more_levels = [dict.fromkeys((field.key for field in LEVEL_FIELDS), "") for _ in range(MORE_LEVELS)]
    more_tiers = [dict.fromkeys((field.key for field in TIER_FIELDS), "") for _ in range(MORE_TIERS)]
    return FilledForm(form.parts, [*form.levels, *more_levels], [*form.tiers, *more_tiers])


def _rows(fields: Mapping[str, str], name: str, of: tuple[TermField, ...]) -> list[dict[str, str]]:
    found = []
    for at in range(MOST_ROWS):
        row = {field.key: fields.get(f"{name}-{at}-{field.key}", "").strip() for field in of}
        if f"{name}-{at}-{of[0].key}" in fields:
            found.append(row)
    return found


def _table(value: Json) -> Mapping[str, Json]:
    """A table of a document; an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}


def _part_of(document: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    return document if not key else _table(document.get(key))


def _tiers(document: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    tiers = _part_of(document, "subsidy")["tiers"]
    return [_table(tier) for tier in tiers] if isinstance(tiers, list) else []


def _values(texts: Mapping[str, str], fields: tuple[TermField, ...]) -> JsonObject:
    return {
        field.key: _value(texts.get(field.key, ""), field.kind)
        for field in fields
        if (texts.get(field.key) or field.kind == "flag") and texts.get(field.key, "") != field.left_out
    }


def _value(text: str, kind: Kind) -> Json:
    if kind == "flag":
        return text == "y"
    if kind == "ids":
        return [_whole(each) for each in re.split(r"[\s;,；，、]+", text) if each]
    return _whole(text) if kind in ("whole", "day") else text


def _whole(text: str) -> int | str:
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else text


def _text(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "y" if value else ""
    return ";".join(map(str, value)) if isinstance(value, list) else str(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _toml(value: Json) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False)
