"""Chinese words of time: 昨天, 上周五, 去年夏天, 三个月前, 2024年4月1日, 三月."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from mnemos.recall.calendar import (
    HOLIDAYS,
    Period,
    add_months,
    days,
    midnight,
    month_of,
    season_of,
    week_of,
    weekend_of,
    year_of,
)
from mnemos.recall.when_rules import Reading, Rule, Scene

_DIGITS = {digit: n for n, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_DAYS = {"大前天": -3, "前天": -2, "昨天": -1, "昨日": -1, "昨晚": -1, "今天": 0, "今日": 0, "今晚": 0}
_DAYS |= {"今早": 0, "明天": 1, "明日": 1, "明晚": 1, "后天": 2, "大后天": 3}
_YEARS = {"前年": -2, "去年": -1, "今年": 0, "明年": 1, "后年": 2}
_SEASONS = {"春": "spring", "夏": "summer", "秋": "autumn", "冬": "winter"}
_FEASTS = {"圣诞节": "christmas", "圣诞": "christmas", "元旦": "new year's day", "春节": "lunar new year"}
_FEASTS |= {"情人节": "valentine's day", "感恩节": "thanksgiving", "万圣节": "halloween", "复活节": "easter"}
_NUMBER = r"(?:\d{1,4}|[零〇一二两三四五六七八九十]{1,3})"
_MONTH = r"(?:1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])月"
_DAY = r"(?:3[01]|[12]\d|0?[1-9]|(?:[二三]?十)?[一二三四五六七八九]|[二三]?十)[日号]"
_WEEK = r"(?:个?星期|个?礼拜|周)"


def _number(word: str) -> int:
    """An Arabic or Chinese numeral below a hundred; 几 ("some") is not one."""
    if word.isdecimal():
        return int(word)
    tens, ten, ones = word.rpartition("十")
    return (_DIGITS.get(tens, 1) * 10 if ten else 0) + (_DIGITS[ones] if ones else 0)


def _year(scene: Scene, word: str) -> int:
    if word in _YEARS:
        return scene.now.year + _YEARS[word]
    return int(word.rstrip("年"))


def _date(scene: Scene, match: re.Match[str]) -> Reading:
    month = _number(match["m"].rstrip("月"))
    day = _number(match["d"].rstrip("日号")) if match["d"] else None

    def yearly(year: int) -> Period:
        return month_of(year, month) if day is None else days(datetime(year, month, day))

    return yearly(_year(scene, match["y"])) if match["y"] else yearly


def _season(scene: Scene, match: re.Match[str]) -> Reading:
    name = _SEASONS[match["s"]]
    if match["y"]:
        return season_of(_year(scene, match["y"]), name)
    return lambda year: season_of(year, name)


def _feast(scene: Scene, match: re.Match[str]) -> Reading:
    yearly = HOLIDAYS[_FEASTS[match["f"]]]
    return yearly(_year(scene, match["y"])) if match["y"] else yearly


def _whole_year(scene: Scene, match: re.Match[str]) -> Reading:
    return year_of(_year(scene, match["y"]))


def _day_word(scene: Scene, match: re.Match[str]) -> Reading:
    return days(scene.now.date() + timedelta(days=_DAYS[match[0]]))


def _week(scene: Scene, match: re.Match[str]) -> Reading:
    shift = {"上上": -2, "上": -1, "这": 0, "本": 0, "下": 1, "下下": 2}[match["w"]]
    if match["d"] is None:
        return week_of(scene.now, shift)
    if match["d"] == "末":
        return weekend_of(scene.now, shift)
    weekday = "一二三四五六日".index("日" if match["d"] == "天" else match["d"])
    return days(scene.now.date() + timedelta(days=weekday - scene.now.weekday() + 7 * shift))


def _month(scene: Scene, match: re.Match[str]) -> Reading:
    shift = {"上上": -2, "上": -1, "这": 0, "本": 0, "下": 1}[match["w"]]
    moment = add_months(scene.now.replace(day=1), shift)
    return month_of(moment.year, moment.month)


def _ago(scene: Scene, match: re.Match[str]) -> Reading:
    low, high = (2, 6) if match["n"] == "几" else (_number(match["n"]),) * 2
    today, unit = midnight(scene.now), match["u"]
    low, high = (low, high) if match["a"] == "后" else (-high, -low)
    if unit == "年":
        return Period(year_of(today.year + low).start, year_of(today.year + high).end)
    if unit.endswith("月"):
        return Period(add_months(today, low) - timedelta(days=15), add_months(today, high) + timedelta(days=16))
    step, slack = (1, 0) if unit == "天" else (7, 4)
    return Period(today + timedelta(days=step * low - slack), today + timedelta(days=step * high + slack + 1))


_LED = rf"(?:(?P<y>(?:19|20)\d\d年|{'|'.join(_YEARS)})的?)?"

CHINESE = (
    Rule(rf"{_LED}(?<![\d零〇一二两三四五六七八九十个])(?P<m>{_MONTH})(?P<d>{_DAY})?", _date),
    Rule(rf"{_LED}(?P<s>[春夏秋冬])[天季]", _season),
    Rule(rf"{_LED}(?P<f>{'|'.join(_FEASTS)})", _feast),
    Rule(rf"(?P<y>(?<!\d)(?:19|20)\d\d年|{'|'.join(_YEARS)})", _whole_year),
    Rule(rf"{'|'.join(sorted(_DAYS, key=len, reverse=True))}", _day_word),
    Rule(rf"(?P<w>上上|下下|[上下这本]){_WEEK}(?P<d>[一二三四五六日天末])?", _week),
    Rule(r"(?P<w>上上|[上下这本])个?月", _month),
    Rule(rf"(?P<n>{_NUMBER}|几)(?P<u>个?月|个?星期|个?礼拜|周|天|年)(?:以|之)?(?P<a>[前后])", _ago),
)
