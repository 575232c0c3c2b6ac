"""The text for each kind of bad input: what is wrong and what would be right, in Chinese and in English.

One text is a code, the case's name, and the two sentences; a deeper indent goes on with the sentence above it.
``{braces}`` are filled in with the facts of the case, ``<phrases>`` with those at the foot.
"""

from typing import Final, NamedTuple


class ProblemText(NamedTuple):
    """A code of the catalogue and its two sentences."""

    code: str
    zh: str
    en: str


_OF_THE_FILE = """
E-FILE unreadable
    文件打不开：{reason}
    the file can't be opened: {reason}
E-FILE changed
    读取时文件被改动了；请在写完之后再导入
    the file changed while it was read; import it once it is complete
E-FILE not a file
    这不是普通文件；请给出文件的路径
    this is no regular file; give the path of a file
E-KIND ending
    不接受“{ending}”文件，这里应为 {accepted}
    “{ending}” files are not accepted here; give {accepted}
E-KIND other kind
    文件名以“{ending}”结尾，内容却是 {kind}；请提供真正的 {ending}
    the name ends in “{ending}” but the content is {kind}; give a real {ending} file
E-KIND workbook parts
    工作簿含有{part}；请只把数据复制到新工作簿，再保存为 .xlsx
    the workbook holds {part}; copy the data alone into a new workbook and save it as .xlsx
E-KIND workbook broken
    工作簿读不出来（{reason}）；请重新保存，或另存为 CSV UTF-8
    the workbook can't be read ({reason}); save it again, or as CSV UTF-8
E-LIMIT workbook too big
    工作簿过大（{what}，上限 {limit}）；请另存为 CSV UTF-8
    the workbook is too big ({what}, at most {limit}); save it as CSV UTF-8
E-KIND archive contents
    压缩包里应恰好有一个可导入的文件（{accepted}），这里有 {count} 个：{found}
    the archive must hold exactly one file of {accepted}; it holds {count}: {found}
E-KIND archive encrypted
    压缩包设有密码；请先解压，再导入其中的文件
    the archive is encrypted; unpack it and import the file in it
E-KIND archive broken
    压缩包读不出来（{reason}）；请重新下载，或先解压
    the archive can't be read ({reason}); download it again, or unpack it first
E-LIMIT archive too big
    压缩包过大（{what}，上限 {limit}）；请先解压
    the archive is too big ({what}, at most {limit}); unpack it first
E-EMPTY empty
    文件是空的；至少要有表头或一个订单
    the file is empty; give at least a header or one order
E-ENC utf-16
    文件是 UTF-16（“Unicode 文本”）；<另存>
    the file is UTF-16 (“Unicode text”); <save>
E-ENC encoding
    第 {line} 行（全文第 {byte} 字节）既不是 UTF-8 也不是 GB18030；<另存>
    line {line} (byte {byte} of the file) is neither UTF-8 nor GB18030; <save>
E-ENC not utf-8
    文件开头标明是 UTF-8，但第 {line} 行（全文第 {byte} 字节）不是；<另存>
    the file begins as UTF-8, but line {line} (byte {byte} of the file) is not; <save>
E-ENC mixed encodings
    文件混用了编码：第 {line} 行（全文第 {byte} 字节）不是 UTF-8，第 {other} 行却是；请统一为 UTF-8
    the file mixes encodings: line {line} (byte {byte} of the file) is not UTF-8, but line {other} is;
        make all of it UTF-8
E-DELIM delimiter
    分隔符应为英文逗号，这里是“{found}”；<另存>
    columns must be separated by commas, not by “{found}”; <save>
E-HEAD missing headers
    表头缺少：{columns}；请补上（列的次序不限）；这里有：{found}
    the header lacks: {columns}; add them, in any order; found were: {found}
E-HEAD near headers
    表头缺少：{columns}；{meant_zh}？这里有：{found}
    the header lacks: {columns}; {meant_en}? Found were: {found}
E-HEAD header too low
    表头在第 {line} 行；应在前 {limit} 行之内，请删去它上面的行
    the header is row {line}; it must be one of the first {limit}: remove rows above it
E-HEAD no sheet
    可见的工作表（{sheets}）前 20 行里都没有完整的表头；最接近的是“{sheet}”：{reason_zh}
    none of the visible sheets ({sheets}) has the whole header in its first 20 rows;
        the nearest is “{sheet}”: {reason_en}
E-HEAD several sheets
    有多张可见的工作表带有这样的表头：{sheets}；请只留下一张，其余删除或隐藏
    several visible sheets have such a header: {sheets}; keep one, and delete or hide the others
E-HEAD no visible sheet
    工作簿里没有可见的工作表；请取消隐藏要导入的那一张
    the workbook has no visible sheet; show the one that is meant
E-HEAD doubled headers
    表头重复：{columns}；每列只能出现一次
    the header has these more than once: {columns}; each may stand once
E-HEAD mixed headers
    表头混用了两套名称：{columns}；请只用接口字段名，或只用中文表头
    the header mixes two sets of names: {columns}; use the API's names or the Chinese ones alone
E-QUOTE header quote
    表头（第 {line} 行起）的引号没有配对；请补上引号
    a quote in the header, from line {line} on, is not closed; close it
E-CTRL header control
    表头含有控制字符；<另存>
    the header holds control characters; <save>
E-LIMIT too many columns
    表头有 {count} 列；最多 {limit} 列
    the header has {count} columns; at most {limit} are read
E-JSON document broken
    JSON 在第 {byte} 字节处不完整或有误（{reason}）；请重新导出
    the JSON is cut off or wrong at byte {byte} ({reason}); export it again
E-DUPKEY document key
    JSON 中“{key}”出现了两次；每个键只能出现一次
    “{key}” stands twice in the JSON; each key may stand once
E-LIMIT document limit
    JSON 从第 {byte} 字节起的一项超过 {limit} 字节；请拆分
    an item of the JSON, from byte {byte} on, is longer than {limit} bytes; split it
E-KIND not bodies
    内容不是订单；应为 pdd.ddk.order.list.increment.get、range.get 或 order.detail.get 的返回
        （一个，或放在一个列表里），或每行一个订单的 .jsonl
    these are not orders; give a reply of pdd.ddk.order.list.increment.get, range.get or order.detail.get
        (one, or several in a list), or .jsonl with one order a line
E-KIND merchant
    这是商家后台的订单明细，没有推广位；请提供多多客订单接口的返回
    these are a merchant's rows and name no promotion place; give the replies of the promoter's order API
E-KIND error reply
    平台返回的是错误，不是订单：{error_code} {message}；请改正后重新拉取
    the platform's reply is an error, not orders: {error_code} {message}; mend the request and fetch again
E-KIND oauth
    没有一行带 is_direct 或 order_receive_time（oauth 接口的返回）；请改用 pdd.ddk.order.list.increment.get
    no row has is_direct or order_receive_time (as of the oauth list); use pdd.ddk.order.list.increment.get
"""

_OF_A_ROW = """
E-CTRL control
    含有控制字符或残缺字符；请删除后重新导入
    it holds control characters or half characters; remove them and import again
E-QUOTE unclosed quote
    这里的引号没有配对，从此行到文件末尾（共 {lines} 行）都无法读取；请补上引号
    a quote here is not closed, so nothing from here to the end of the file ({lines} lines) can be read; close it
E-QUOTE stray quote
    引号之后多了字符；单元格内的引号应写成 "…""…"
    something follows a closing quote; write a quote inside a cell as "…""…"
E-COLS columns
    这一行有 {count} 列，表头有 {expected} 列；请补齐，或去掉多余的逗号
    the row has {count} columns and the header {expected}; complete it, or remove extra commas
E-DELIM row delimiter
    这一行用“{found}”分隔；应为英文逗号
    this row is separated by “{found}”; use commas
E-TOTAL repeated header
    这是重复的表头，不是数据；请删除这一行
    this is the header again, not data; remove the row
E-TOTAL total
    这是合计或注释行，不是数据；请删除这一行
    this is a total or a comment, not data; remove the row
E-LIMIT long row
    这一行超过 {limit} 个字符；请删减
    the row is longer than {limit} characters; shorten it
E-LIMIT long field
    内容超过 {limit} 个字符；请删减
    the content is longer than {limit} characters; shorten it
E-LIMIT deep
    嵌套超过 {limit} 层；订单没有这么多层
    nested deeper than {limit} levels, which no order is
E-JSON line
    不是完整的 JSON；每行应是一个订单 {{…}}
    not whole JSON; each line must be one order {{…}}
E-JSON not an order
    这里应是一个订单 {{…}}
    one order {{…}} belongs here
E-DUPKEY double key
    “{key}”出现了两次；每个键只能出现一次
    “{key}” stands twice; each key may stand once
E-RANGE big number
    数字超出范围；应为 64 位以内的数
    the number is out of range; it must fit 64 bits
E-JSON no number
    NaN 和 Infinity 不是 JSON；应为数字或 null
    NaN and Infinity are not JSON; write a number or null
E-PROMOTER unknown promoter
    该推手尚未登记；导入推手后这一行会自动入账
    this promoter is not known yet; the row goes in by itself once the promoter is imported
E-OPEN open period
    该期已开，目标已冻结；请改为尚未开期的月份
    this period is open and its targets are frozen; give a period that is not open yet
"""

_OF_A_CELL = """
E-FORMULA formula
    这个公式没有保存计算结果；请用表格软件打开文件，保存一次，再导入
    the formula has no stored result; open the file in a spreadsheet program, save it once, and import again
E-MERGED merged
    这个单元格被合并覆盖，没有自己的值；请取消合并，并逐行填写
    the cell lies under a merge and has no value of its own; unmerge the cells and fill in each row
E-XML xml
    这个单元格的内容写法会被不同程序读成不同的值；请用表格软件打开文件，保存一次，再导入
    programs read this cell's content differently; open the file in a spreadsheet program, save it once, and
        import again
E-BLANK blank
    不能为空；请填写
    must not be blank; fill it in
E-ID order number
    订单编号只含数字和“-”，如 221219-123456789012345
    write order numbers with digits and “-” alone, such as 221219-123456789012345
E-ID place
    推广位ID应为 数字_数字，如 1817118_107021838，不以 0 开头
    write promotion links as digits_digits, such as 1817118_107021838, without a leading zero
E-ID promoter
    推手编号应为大于 0 的数字，最多 15 位
    write promoter ids with digits alone, above 0, at most 15 of them
E-ID pid differs
    p_id 与 pid 不一致；应只有一个，或两者相同
    p_id and pid differ; give one of them, or both alike
E-ID categories
    类目应为用分号相连的编号，如 239;2001
    write category ids joined by semicolons, such as 239;2001
E-ID category list
    cat_ids 应为整数列表，如 [239, 2001]
    cat_ids must be a list of whole numbers, such as [239, 2001]
E-ID-MANGLED mangled id
    Excel 改坏了这个编号；请把该列设为文本格式，再重新导出
    Excel has mangled this id; make the column text and export it again
E-MONEY yuan
    金额应为元，如 1234.50：只有数字，最多两位小数
    write yuan as 1234.50: digits alone, at most two decimals
E-MONEY fen
    金额应为整数分，如 123450：没有小数、单位和逗号
    write whole fen as 123450: no decimals, unit or commas
E-NEG negative
    金额不能为负；退款由订单状态表示
    an amount can't be negative; refunds are told by the status
E-RANGE amount range
    金额过大；最多 12 位数的元
    the amount is too large; at most 12 digits of yuan
E-RANGE number range
    数字过大；最大为 {limit}
    the number is too large; at most {limit}
E-INT whole
    应为非负整数，如 94
    write a whole number that is not negative, such as 94
E-STATUS status
    未知的订单状态；应为 -1、0、1、2、3、4、5、8 或 10
    unknown order status; known are -1, 0, 1, 2, 3, 4, 5, 8 and 10
E-STATUS status word
    未知的订单状态；应为代码（-1、0、1、2、3、4、5、8、10）或平台的叫法，如 确认收货
    unknown order status; write its code (-1, 0, 1, 2, 3, 4, 5, 8, 10) or the platform's word, such as 确认收货
E-FLAG flag
    应为 {choices}，未知时留空
    write {choices}, or leave it blank where unknown
E-CHANNEL channel
    渠道应为 app 或 other（中文表头下也可写 APP、其他）
    write app or other (under Chinese headers also APP or 其他)
E-LIMIT text
    内容过长；最多 {limit} 个字符
    too long; at most {limit} characters
E-JSON not text
    应为带引号的文字
    must be text, in quotes
E-TIME time
    <时间>
    <times>
E-TIME time range
    时间应在 2015 至 2099 年之间
    times lie within 2015 to 2099
E-TIME no such time
    没有这个时刻；<时间>
    there is no such instant; <times>
E-TIME midnight
    24 点只能写成 24:00:00，即次日 00:00:00
    24 o'clock is 24:00:00 exactly, the next day's 00:00:00
E-TIME leap second
    秒数最大为 59；23:59:60 请写成次日 00:00:00
    seconds go to 59; write 23:59:60 as the next day's 00:00:00
E-TIME date only
    只有日期，没有时刻；<时间>
    a date without its time; <times>
E-TIME serial
    这是 Excel 的日期序号；请把该列设为日期格式；<时间>
    this is Excel's serial number; format the column as dates; <times>
E-TIME epoch in text
    这是纪元秒数；中文表头下<时间>
    these are epoch seconds; under a Chinese header <times>
E-TIME epoch
    时间应为纪元秒数（10 位整数），如 1671551999
    write epoch seconds, a whole number of 10 digits such as 1671551999
E-TIME milliseconds
    13 位像是毫秒；应为纪元秒数（10 位）
    13 digits look like milliseconds; write epoch seconds (10 digits)
E-DATE date
    日期应写成 2022-10-01，在 2015 至 2099 年之间
    write dates as 2022-10-01, within 2015 to 2099
E-DATE period
    期次应写成 2022-12，在 2015 至 2099 年之间
    write periods as 2022-12, within 2015 to 2099
E-STATUS payment status
    付款状态应为 成功、失败、退票 或 处理中（付款成功、转账成功、交易成功、paid、failed 等也可）
    a payment is 成功 or 失败, 退票 or 处理中 (paid or failed)
E-ID payout
    付款编号应写成 P3-1000939
    write a payout's id as P3-1000939
E-BLANK whose payment
    请给出付款编号（可写在备注里），或同时给出收款账号和姓名
    give the payout's id, which may stand in the remark, or both account and name
E-BLANK no payments
    回单里没有一笔付款
    the receipt tells of no payment
E-HEAD receipt
    这不是回单；表头应有 收款账号、姓名、金额（元）、状态（支付宝、银行），或 amount_yuan、status，
        以及 payout_id 或 account 与 payee_name；这里有：{found}
    this is no receipt; its header has 收款账号, 姓名, 金额（元） and 状态 (Alipay, banks), or amount_yuan, status,
        and payout_id or both account and payee_name; found were: {found}
E-HEAD columns of one meaning
    表头有重复的列：{columns}；意思相同的列请只保留一个
    the header has several columns of one meaning: {columns}; keep one of them
E-BLANK payments under way
    回单里的付款都还在处理中；请等付款方处理完，再导入新的回单
    all payments of the receipt are still under way; take in the receipt that the payer gives afterwards
E-LIMIT receipt rows
    回单超过 {limit} 笔；请拆分
    the receipt has more than {limit} payments; split it
E-PAYEE payee method
    收款方式应为 alipay、bank 或 wechat（中文表头下为 支付宝、银行卡、微信）
    write alipay, bank or wechat (under Chinese headers 支付宝, 银行卡 or 微信)
E-PAYEE alipay account
    支付宝账号应为邮箱，或 11 位大陆手机号
    an Alipay account is an e-mail address or a mainland phone number of 11 digits
E-PAYEE wechat account
    微信收款须填用户的 openid（20 至 64 位字母、数字、- 或 _）
    for WeChat write the user's openid (20 to 64 letters, digits, - or _)
E-PAYEE bank account
    银行账号应为 8 至 32 位数字
    write a bank account with 8 to 32 digits alone
E-PAYEE bank code
    联行号应为 12 位数字，没有则留空
    write the bank's code with 12 digits, or leave it blank
E-PAYEE bank of alipay
    收款方式不是银行卡时应留空
    leave it blank where the method is not bank
E-PAYEE payee text
    不能含英文逗号、双引号或控制字符，也不能以 = + - @ ' 开头
    it holds no commas, double quotes or control characters, and begins with none of = + - @ '
E-PAYEE not in GBK
    含有 GBK 没有的字，付款文件无法写出；请改用收款账户登记的常用字
    it holds a character that GBK lacks, in which the payer's files are written; write it as the account's bank does
E-PAYEE payee twice
    该推手在第 {line} 行已出现；每个推手只能有一行
    the promoter stands in line {line} already; give one row a promoter
E-PAYEE payee of nobody
    没有这个推手；请先导入推手
    this promoter is not known; import the promoters first
"""

_PHRASES = {
    "<另存>": "请在 Excel 中另存为“CSV UTF-8（逗号分隔）”",
    "<save>": "in Excel, save as “CSV UTF-8 (Comma delimited)”",
    "<时间>": "时间应写成 2022-12-20 23:59:59（北京时间），可用 T 并带时区",
    "<times>": "write times as 2022-12-20 23:59:59 (Shanghai), or with T and an offset",
}


def _read(table: str) -> dict[str, ProblemText]:
    """Sayings by the name of their case, and by their code for its first case."""
    for phrase, words in _PHRASES.items():
        table = table.replace(phrase, words)
    texts: dict[str, ProblemText] = {}
    for entry in table.strip().split("\nE-"):
        head, body = entry.split("\n    ", 1)
        zh, en = (" ".join(part.split()) for part in body.replace("\n        ", " ").split("\n    "))
        code, name = head.removeprefix("E-").split(" ", 1)
        texts[name] = ProblemText(f"E-{code}", zh.replace(" （", "（"), en)
        texts.setdefault(f"E-{code}", texts[name])
    return texts


PROBLEM_TEXTS: Final = _read(_OF_THE_FILE + _OF_A_ROW.lstrip() + _OF_A_CELL.lstrip())
CODES: Final = tuple(dict.fromkeys(text.code for text in PROBLEM_TEXTS.values()))
"""Every code there is."""
