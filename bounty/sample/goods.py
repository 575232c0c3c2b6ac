"""The sample's goods: physical goods and virtual goods."""

from dataclasses import dataclass
from typing import Final

from bounty.money import read_yuan


@dataclass(frozen=True)
class Goods:
    """Something that is sold."""

    number: int
    price_fen: int
    rate_permille: int
    """The commission rate; whole per mille."""
    type: int | None
    """The platform's scene code; None if it depends on how the buyer came to the goods."""
    cat_ids: tuple[int, ...]
    category: str
    name: str


# price, rate, type, categories from the first level down, name of the first level, name
_SHELF: Final = """
5.80    250  -   6398;6400;12301          零食           每日坚果体验装 25g×2袋
7.90    350  -   11684;11702;20911        居家日用       食品级保鲜膜 30cm×20m
9.90    450  -   5752;5760;18422          手机数码配件   Type-C快充数据线 1米
12.80   300  -   6398;6412;12377;30518    零食           手工麻花独立小包 500g
15.90   300  -   11684;11698;20874        居家日用       懒人抹布厨房纸 200抽
19.90   200  -   15543;15561;22810        书籍/杂志/报纸 小学生字帖练习册 全6本
22.80   300  -   9314;9320;17755          水果生鲜       陕西红富士苹果 5斤装
25.90   350  -   8439;8460;16203          女装           冰丝防晒袖套 2双
29.90   300  -   11684;11690;20833;41207  居家日用       竹浆本色抽纸 24包整箱
33.00   250  -   14697;14711;24480        母婴用品       婴儿纯棉口水巾 10条
36.90   300  -   9314;9338;17790          水果生鲜       丹东九九草莓 2斤顺丰
39.90   400  -   239;260;10118            男装           纯棉圆领短袖T恤 2件
45.00   300  -   6398;6420;12415          零食           大连即食海参丝 10袋
49.90   350  -   18814;18830;26661        美妆护肤       氨基酸洗面奶 120g×2支
55.00   250  -   15543;15570;22868        书籍/杂志/报纸 少儿科普绘本 精装8册
59.00   400  -   8439;8446;16110;33092    女装           法式碎花连衣裙
65.90   300  -   9314;9344;17812          水果生鲜       阳澄湖大闸蟹 6只礼盒
69.00   350  -   239;248;10066            男装           弹力商务休闲裤
75.00   200  -   14697;14720;24533        母婴用品       拉拉裤XL码 92片
79.90   350  -   11684;11715;20990        居家日用       全棉四件套 1.5米床
85.00   300  -   18814;18841;26712        美妆护肤       玻尿酸面膜 50片
89.00   300  -   5752;5771;18480          手机数码配件   20000毫安大容量充电宝
95.00   400  -   8439;8452;16155          女装           加绒加厚卫衣外套
99.00   250  -   18637;18650;25904        家用电器       养生壶 1.5升 多功能
109.00  300  -   239;255;10091;28833      男装           工装加绒夹克
119.00  200  -   18637;18655;25931        家用电器       空气炸锅 4.5升
129.00  300  -   11684;11730;21044        居家日用       乳胶记忆枕 一对
139.00  350  -   8439;8470;16244          女装           羊毛混纺针织开衫
149.00  250  -   5752;5780;18513          手机数码配件   蓝牙降噪耳机
159.00  200  -   14697;14735;24590        母婴用品       儿童安全座椅增高垫
169.00  300  -   239;270;10177            男装           轻薄白鸭绒羽绒服
179.00  200  -   18637;18662;25968        家用电器       破壁机 家用静音款
189.00  250  -   11684;11741;21090        居家日用       人体工学办公椅
199.00  300  -   18814;18852;26749        美妆护肤       抗皱紧致护肤套装
219.00  200  -   18637;18670;26003        家用电器       扫拖一体吸尘器
259.00  150  -   9314;9351;17840          水果生鲜       内蒙古羔羊排 10斤
329.00  200  -   8439;8475;16270          女装           双面呢羊绒大衣
399.00  150  -   18637;18677;26031;47115  家用电器       即热式饮水机
499.00  120  -   5752;5788;18544          手机数码配件   11寸学习平板
599.00  100  -   18637;18684;26066        家用电器       滚筒洗烘一体机 8公斤
699.00  100  -   11684;11760;21155        居家日用       独立弹簧床垫 1.8米
899.00  80   -   18637;18690;26090        家用电器       变频冷暖空调 1匹
"""
_VIRTUAL_SHELF: Final = """
9.90    50   0   8730;8741;15011          影视/会员/腾讯QQ专区  视频会员周卡
19.90   50   0   8730;8741;15014          影视/会员/腾讯QQ专区  音乐会员月卡
30.00   20   94  8729;8760;15120          生活缴费              话费充值 30元
50.00   20   94  8729;8760;15121;31877    生活缴费              话费充值 50元
68.00   30   0   8736;8790;15266          游戏服务/直播         手游点券 680点
99.00   20   94  10000;10001;10002        充值中心              加油卡充值 100元
100.00  10   0   8724;8770;15180          购物卡/礼品卡/代金券  超市购物卡 100元
129.00  60   0   8732;8780;15233          网络服务/软件         办公软件 一年会员
"""


def _goods_of(shelf: str, first_number: int) -> list[Goods]:
    return [_one_goods(number, line) for number, line in enumerate(shelf.strip().splitlines(), first_number)]


def _one_goods(number: int, line: str) -> Goods:
    price, rate, scene, cat_ids, category, name = line.split(maxsplit=5)
    return Goods(
        number=number,
        price_fen=read_yuan(price),
        rate_permille=int(rate),
        type=None if scene == "-" else int(scene),
        cat_ids=tuple(map(int, cat_ids.split(";"))),
        category=category,
        name=name,
    )


GOODS: Final = _goods_of(_SHELF, first_number=1)
"""The physical goods, by ascending price."""
VIRTUAL_GOODS: Final = _goods_of(_VIRTUAL_SHELF, first_number=101)
SCENES: Final = {0: 60, 4: 10, 7: 8, 8: 6, 9: 2, 77: 2, 103: 8, 104: 2, 105: 2}
"""Scene code of an order of physical goods -> weight."""
