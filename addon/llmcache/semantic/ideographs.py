"""Chinese and Japanese runs -> terms: no spaces, so phrases are found first and then every character counts.

It does not compare anything. Entry point: `terms`.
"""

from __future__ import annotations

import re

from .numbers import HAN_NUMERALS, ideographic


def terms(run: str) -> list[str]:
    """Return the terms of a run: `@why` and its like for what asks, numbers, katakana words, single characters."""
    found: list[str] = []
    for match in _PIECE.finditer(run):
        piece = match.group()
        match match.lastgroup:
            case "phrase":
                found += _PHRASES[piece]
            case "number":
                found.append(f"#{ideographic(piece)}")
            case _:
                found.append(piece)
    return found


_MEANINGS = {
    "": "请问 请 请你 请您 你能 您能 你能不能 能不能 能否 你可以 可以告诉我 告诉我 你能告诉我 解释一下 解释 "
    "说明一下 说明 介绍一下 介绍 讲一下 讲讲 "
    "一下 的 了 吗 呢 啊 吧 呀 把 帮我 麻烦 谢谢 你好 您好 我想知道 我想问 想知道 是 有 个 一个 之 地 得 "
    "给我 说说 谈谈 么 "
    "ください 下さい 教えて 教えてください お願いします です ですか ますか ます か の 。 について 説明して "
    "説明してください",
    "@why": "为什么 为何 为啥 什么原因 是什么原因 なぜ どうして 何故",
    "@how": "怎么 如何 怎样 怎么样 怎么才能 如何才能 怎么能 どうやって どのように どうすれば",
    "@what": "什么 什么是 是什么 啥 什么叫 是什么意思 什么意思 何 なに とは",
    "@where": "哪里 哪儿 在哪里 在哪儿 在哪 何处 什么地方 どこ",
    "@who": "谁 什么人 だれ 誰",
    "@when": "什么时候 何时 几点 哪天 什么时间 いつ",
    "@many": "多少 几 多少个 几个 いくつ いくら",
    "@can": "能 可以 能够 会",
    "@must": "必须 应该 要 得要 需要",
    "not": "不 没 没有 无 非 别 未 莫 勿 不是 不能 ない ません なかった",
    "忘": "忘记 遗忘 忘掉",
    "关": "关掉 关闭 关上",
    "开": "打开 开启",
    "买": "购买",
    "大": "巨大",
    "方": "方法 办法 方式",
    "翻": "翻译",
    "天气": "天气",
    "一": "一样",
    "万一": "万一",
}
"""What phrases stand for; nothing for particles and politeness."""
_PHRASES = {phrase: meaning.split() or [] for meaning, phrases in _MEANINGS.items() for phrase in phrases.split()}
_PIECE = re.compile(
    "(?P<phrase>" + "|".join(sorted(map(re.escape, _PHRASES), key=len, reverse=True)) + ")"
    f"|(?P<number>[{HAN_NUMERALS}]{{1,12}})|(?P<katakana>[\u30a1-\u30ff]+)|(?P<sign>.)",
    re.DOTALL,
)
