"""The catalogue of an order's facts: under which names each arrives, by which grammar, and what it takes part in.

Readers, hash, fold, timeline, corrections and labels are made from this list. A new fact takes a line here, its column
in ``models/orders.py`` with a migration, its field in ``order_row.OrderRow``, and its place in the two fast readers.
"""

from dataclasses import dataclass
from typing import Final, Literal

from bounty.files import cells
from bounty.files.columns import REQUIRED, FileColumn, Read
from bounty.platforms.pdd import json_values

Shape = Literal["json", "api_table", "chinese_table"]
"""JSON of the API; a table under the API's field names; a table under the Chinese headers."""

_STATUS_CODES: Final = {str(code): code for code in cells.STATUSES}
_STATUS_WORDS: Final = {
    "未支付": -1,
    "已支付": 0,
    "已成团": 1,
    "确认收货": 2,
    "审核成功": 3,
    "审核通过": 3,
    "审核失败": 4,
    "已结算": 5,
    "已经结算": 5,
    "已处罚": 10,
}
_FLAG: Final = cells.word({"0": 0, "1": 1}, "flag", choices="0 / 1")
_RETURN: Final = cells.word({"0": 0, "1": 1, "2": 2}, "flag", choices="0 / 1 / 2")
_DIRECT: Final = cells.word({"是": 1, "否": 0, "1": 1, "0": 0}, "flag", choices="是 / 否")
_COMPARED: Final = cells.word({"正常": 0, "比价": 1, "0": 0, "1": 1}, "flag", choices="正常 / 比价")
_NAME: Final = cells.text_up_to(cells.FIELD_LIMIT)
_TYPE: Final = cells.whole_number(cells.TYPE_LIMIT)


@dataclass(frozen=True, slots=True)
class OrderFact:
    """One fact of an order."""

    name: str
    """Its column in ``orders`` and ``order_versions``, and its field in OrderRow."""
    zh: str
    en: str
    """Its label."""
    field: str | None
    """Its field in the JSON of the API and its header in tables of the API's names; None if it is made from others."""
    json: Read | None = None
    """The grammar of its value in JSON."""
    api_cell: Read | None = None
    """The grammar of its cell under the API's header."""
    header: str | None = None
    """Its Chinese header; None where no Chinese file has it."""
    chinese_cell: Read | None = None
    """The grammar of its cell under the Chinese header."""
    blank: object = REQUIRED
    """What a blank or missing value means; REQUIRED if it is a fault."""
    may_lack: bool = False
    """Whether a table may lack its column altogether."""
    verbatim: bool = False
    """Whether the text is taken as it stands, neither normalised nor trimmed."""
    detail_only: bool = False
    """Whether only rows of ``order.detail.get`` have it."""
    stored: bool = True
    """Whether it is a column of ``orders``; the others are only read, and another fact is made from them."""
    hashed: bool = True
    """Whether a row's hash depends on it. A live room is hashed only where there is one."""
    canonical: bool = True
    """Whether it decides between rows of one time and one status (docs/promises.md, The fold)."""
    in_timeline: bool = True
    """Whether the page of an order says when it changed."""
    lasting: bool = False
    """Whether it does not move in an order's life, so that another value corrects the first."""
    correctable: bool = False
    """Whether an accepted appeal may put it right."""


ORDER_FACTS: Final = (
    OrderFact(
        "order_sn",
        "订单编号",
        "order number",
        "order_sn",
        json_values.text(cells.order_number, "order number"),
        cells.order_number,
        "订单编号",
        cells.order_number,
        canonical=False,
        in_timeline=False,
    ),
    OrderFact(
        "p_id",
        "推广位 ID",
        "promotion link ID",
        "p_id",
        json_values.text(cells.promotion_id, "place"),
        cells.promotion_id,
        "推广位ID",
        cells.promotion_id,
        in_timeline=False,
        lasting=True,
    ),
    OrderFact(
        "goods_name",
        "商品名称",
        "goods",
        "goods_name",
        json_values.name,
        _NAME,
        "商品名称",
        _NAME,
        blank=None,
        may_lack=True,
        verbatim=True,
        hashed=False,
        canonical=False,
        in_timeline=False,
    ),
    OrderFact(
        "order_status",
        "订单状态",
        "status",
        "order_status",
        json_values.status,
        cells.word(_STATUS_CODES, "status"),
        "订单状态",
        cells.word(_STATUS_CODES | _STATUS_WORDS, "status word"),
    ),
    OrderFact(
        "order_amount_fen",
        "实付金额",
        "amount paid",
        "order_amount",
        json_values.fen,
        cells.fen_cell,
        "实付金额(元)",
        cells.yuan,
        lasting=True,
        correctable=True,
    ),
    OrderFact(
        "promotion_amount_fen",
        "佣金",
        "commission",
        "promotion_amount",
        json_values.fen,
        cells.fen_cell,
        "佣金(元)",
        cells.yuan,
        blank=0,
        may_lack=True,
        lasting=True,
    ),
    OrderFact(
        "type",
        "订单类型",
        "order type",
        "type",
        json_values.type_code,
        _TYPE,
        "订单类型",
        _TYPE,
        blank=None,
        lasting=True,
        correctable=True,
    ),
    OrderFact(
        "cat_ids",
        "类目",
        "categories",
        "cat_ids",
        json_values.category_list,
        cells.category_cell,
        "类目ID",
        cells.categories,
        blank=None,
        lasting=True,
        correctable=True,
    ),
    OrderFact(
        "is_direct",
        "是否直推",
        "direct push",
        "is_direct",
        json_values.flag(0, 1),
        _FLAG,
        "是否直推",
        _DIRECT,
        blank=None,
        lasting=True,
        correctable=True,
    ),
    OrderFact(
        "price_compare_status",
        "比价状态",
        "price comparison",
        "price_compare_status",
        json_values.flag(0, 1),
        _FLAG,
        "比价状态",
        _COMPARED,
        blank=None,
        lasting=True,
        correctable=True,
    ),
    OrderFact(
        "created_at",
        "生成时间",
        "created at",
        "order_create_time",
        json_values.epoch,
        cells.epoch,
        "生成时间",
        cells.instant,
        blank=None,
        may_lack=True,
        hashed=False,
        canonical=False,
        in_timeline=False,
    ),
    OrderFact(
        "paid_at",
        "支付时间",
        "paid at",
        "order_pay_time",
        json_values.epoch,
        cells.epoch,
        "支付时间",
        cells.instant,
        blank=None,
        lasting=True,
        correctable=True,
    ),
    OrderFact(
        "received_at",
        "确认收货时间",
        "received at",
        "order_receive_time",
        json_values.epoch,
        cells.epoch,
        "确认收货时间",
        cells.instant,
        blank=None,
        correctable=True,
    ),
    OrderFact(
        "verified_at",
        "审核时间",
        "audited at",
        "order_verify_time",
        json_values.epoch,
        cells.epoch,
        "审核时间",
        cells.instant,
        blank=None,
    ),
    OrderFact(
        "settled_at",
        "结算时间",
        "settled at",
        "order_settle_time",
        json_values.epoch,
        cells.epoch,
        "结算时间",
        cells.instant,
        blank=None,
    ),
    OrderFact(
        "modified_at",
        "更新时间",
        "changed at",
        "order_modify_at",
        json_values.epoch,
        cells.epoch,
        "更新时间",
        cells.instant,
        canonical=False,
        in_timeline=False,
    ),
    OrderFact(
        "sep_duo_id",
        "直播间推手",
        "promoter of the live room",
        "sep_duo_id",
        json_values.live_room_promoter,
        cells.live_room_promoter,
        blank=None,
        may_lack=True,
        stored=False,
    ),
    OrderFact(
        "sep_pid",
        "直播间推广位",
        "promotion link ID of the live room",
        "sep_pid",
        json_values.text(cells.live_room_place, "not text"),
        cells.live_room_place,
        blank=None,
        may_lack=True,
        stored=False,
    ),
    OrderFact(
        "return_status",
        "售后状态",
        "after-sale",
        "return_status",
        json_values.flag(0, 1, 2),
        _RETURN,
        blank=None,
        may_lack=True,
        detail_only=True,
    ),
    OrderFact(
        "link_made_at",
        "链接生成时间",
        "link made at",
        "url_last_generate_time",
        json_values.epoch,
        cells.epoch,
        blank=None,
        may_lack=True,
        detail_only=True,
        canonical=False,
        in_timeline=False,
    ),
    OrderFact(
        "live_room",
        "直播间",
        "live room",
        None,
        blank=None,
        canonical=False,
        lasting=True,
    ),
)
"""In the order of OrderRow's fields."""
STORED: Final = tuple(fact for fact in ORDER_FACTS if fact.stored)


def columns_of(shape: Shape, *, detail: bool = False) -> tuple[FileColumn, ...]:
    """The columns of a kind of file, in the order of the catalogue.

    detail   rows of ``order.detail.get``, which name the promotion link ID ``pid``
    """
    found = []
    for fact in ORDER_FACTS:
        name, read = {
            "json": (fact.field, fact.json),
            "api_table": (fact.field, fact.api_cell),
            "chinese_table": (fact.header, fact.chinese_cell),
        }[shape]
        if name is None or read is None or (fact.detail_only and not detail):
            continue
        if detail and name == "p_id":
            name = "pid"
        found.append(FileColumn(name, fact.name, read, fact.blank, fact.may_lack, fact.verbatim))
    return tuple(found)
