"""Names in Chinese text, where no capitals tell them: people by what they are to somebody, places by list and cue."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mnemos.entities.lexicon import Kind

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆"
    "汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
_KIN = (
    "爸爸|妈妈|父亲|母亲|哥哥|弟弟|姐姐|妹妹|表哥|表弟|表姐|表妹|堂哥|堂弟|堂姐|堂妹|叔叔|婶婶|舅舅|舅妈|姑姑|姑父|阿姨|姨妈|爷爷|"
    "奶奶|外公|外婆|儿子|女儿|丈夫|妻子|老公|老婆|男友|女友|男朋友|女朋友|朋友|同事|同学|上司|下属|老板|老师|邻居|室友|医生|侄子|侄女|外甥"
)
_NAME = f"[{_SURNAMES}][\u4e00-\u9fff]{{1,2}}"
_PEOPLE = (
    re.compile(f"(?:{_KIN})(?:的名字)?(?:叫做|名叫|叫|是)({_NAME})(?=[，。！？、；,.!?]|$)"),
    re.compile(f"(?:^|[，。！？；\\s])({_NAME})是我(?:的)?(?:{_KIN})"),
    re.compile(f"(?:我叫|名叫|名字是|名字叫)({_NAME})(?=[，。！？、；,.!?]|$)"),
)
_PLACES = (
    "北京|上海|天津|重庆|广州|深圳|杭州|南京|苏州|武汉|成都|西安|郑州|长沙|青岛|大连|厦门|宁波|无锡|佛山|东莞|福州|济南|合肥|昆明|"
    "沈阳|哈尔滨|长春|石家庄|太原|南昌|贵阳|南宁|兰州|银川|西宁|乌鲁木齐|拉萨|海口|三亚|珠海|中山|温州|洛阳|桂林|香港|澳门|台北|"
    "浙江|江苏|广东|山东|河南|河北|湖南|湖北|四川|福建|安徽|江西|辽宁|吉林|黑龙江|陕西|山西|云南|贵州|广西|甘肃|青海|宁夏|新疆|"
    "西藏|内蒙古|海南|台湾|中国|美国|日本|英国|法国|德国|韩国|泰国|新加坡|加拿大|澳大利亚|意大利|西班牙|俄罗斯|巴黎|伦敦|纽约|东京"
)
_PLACE = re.compile(f"(?:{_PLACES})(?=市|省|的|，|。|、|！|？|；|工作|上班|读书|上学|生活|出差|旅游|旅行|住|$)")
_HOME = re.compile(r"小区[，]?叫(?:做)?([\u4e00-\u9fff]{2,6}?)(?=[，。！？；]|$)")
_THING = re.compile(r"《([^《》]{1,30})》")


def names(text: str) -> Iterator[tuple[str, Kind, int, int]]:
    """Name, kind and place of each name that a pattern finds; each stretch of text once."""
    if text.isascii():
        return
    taken: list[tuple[int, int]] = []
    kinds: tuple[tuple[Kind, re.Pattern[str]], ...] = (
        *(("person", pattern) for pattern in _PEOPLE), ("thing", _THING), ("place", _HOME), ("place", _PLACE),
    )  # fmt: skip
    for kind, pattern in kinds:
        for match in pattern.finditer(text):
            start, end = match.span(match.lastindex or 0)
            if not any(start < e and s < end for s, e in taken):
                taken.append((start, end))
                yield text[start:end], kind, start, end
