"""Chinese and Japanese runs -> terms: no spaces, so phrases are found first and then every character counts.

It does not compare anything. Entry points: `terms`, `SIDES`.
"""

from __future__ import annotations

import re

from .listing import listed
from .numbers import HAN_NUMERALS, ideographic
from .traditional import SIMPLIFIED


def terms(run: str) -> list[str]:
    """Return the terms of a run: `@why` and its like for what asks, numbers, katakana words, single characters."""
    found: list[str] = []
    run = run.translate(SIMPLIFIED)
    if _REQUEST.match(run):
        run = run.rstrip("吗嘛么呢")
    begun, ended = _OPENING.match(run), _ENDING.search(run)
    at, end = begun.end() if begun else 0, ended.start() if ended else len(run)
    if begun and begun["blank"]:
        found += _EDGES[begun["blank"]]
    while at < end:
        for phrase in _BEGUN_BY.get(run[at], ()):
            if run.startswith(phrase, at, end):
                found += _PHRASES[phrase]
                at += len(phrase)
                break
        else:
            match = _PIECE.match(run, at, end)
            piece = match[0] if match else run[at]
            found.append(f"#{ideographic(piece)}" if piece[0] in HAN_NUMERALS else piece)
            at += len(piece)
    if ended and ended["asking"]:
        found += _EDGES[ended["asking"][:2]]
    return found


_MEANINGS = {
    "": "请问 请 请你 请您 你能 您能 你能不能 你可以 可以告诉我 告诉我 你能告诉我 解释一下 解释 "
    "才 都 那么 大家 一般 关于 有关于 很 非常 这 这个 这种 这些 一些 一种 一款 一部 一首 一张 一位 一条 一只 一篇 "
    "一封 一份 一本 一段 一套 一件 一家 一辆 一台 一杯 一名 "
    "说明一下 说明 介绍一下 介绍 讲一下 讲讲 "
    "一下 的 了 呢 啊 吧 呀 把 帮我 麻烦 谢谢 你好 您好 我想知道 我想问 想知道 有 个 一个 之 地 得 "
    "给我 说说 谈谈 么 麻烦你 麻烦您 麻烦请 请告诉我 你知道 您知道 我想了解 想请问 想问一下 能告诉我 你能告诉我 帮忙 "
    "请帮我 请给我 你可以帮我 你能帮我 你能不能帮我 能不能帮我 可以帮我 到底 究竟 其实 简单来说 简单地说 "
    "总的来说 一般来说 "
    "ください 下さい 教えて 教えてください お願いします です ですか ますか ます か の 。 について 説明して "
    "説明してください いただけますか を教えて を教えてください を説明して を説明してください を説明していただけますか "
    "について説明していただけますか について教えて について教えてください について教えていただけますか でしょうか",
    "@is": "是 都是 是指 指的是",
    "and": "和 与 及 以及",
    "or": "或 或者 还是",
    "@yes": "吗 嗎 是否 是不是 有没有 对不对",
    "@can @yes": "能不能 能否 可不可以 可否 会不会",
    "@must @yes": "要不要 需不需要 应不应该 该不该 用不用",
    "@why 我 们": "为什么我们",
    "@how 我 们": "怎么我们",
    "@why": "为什么我 为什么我的 为什么 为何 为啥 什么原因 是什么原因 的原因 的原因是什么 的原因有哪些 有哪些原因 "
    "原因是什么 原因有哪些 "
    "什么原因会导致 什么原因导致 什么会导致 是什么原因导致 なぜ どうして 何故",
    "@how": "怎么样才能 怎么我 怎么我的 怎么 如何 怎样 怎么样 怎么才能 如何才能 怎么能 怎样才能 咋 该怎么 该如何 "
    "的方法 的办法 的方式 方法是什么 的方法是什么 有什么方法 有什么办法 有什么好方法 有什么好办法 "
    "どうやって どのように どうすれば",
    "@how 办": "怎么办 咋办 该怎么办 怎么解决 如何解决 怎样解决 怎么处理 如何处理 怎么弄",
    "@how 做": "的做法 做法",
    "@how @long": "多久 多长时间 要多久 需要多久 要多长时间 需要多长时间",
    "@how @much": "多少钱 要多少钱 需要多少钱 花多少钱 要花多少钱 价格是多少 的价格是多少 价钱是多少 什么价格",
    "@why not": "怎么没有 怎么没",
    "@why 还": "怎么还",
    "@why @can": "怎么会",
    "@why 么": "怎么这么 怎么那么",
    "@what @happened": "怎么了",
    "@is @what": "是什么 是啥 是什么意思 叫什么 叫啥 叫做什么 指什么 是指什么 指的是什么",
    "@is @what 名字": "叫什么名字 名字叫什么 的名字叫什么 叫啥名字",
    "名字": "名字 名称",
    "@what @sort": "什么样的 怎样的 怎么样的 啥样的",
    "@what @listed 区别": "有什么不同 有什么区别 有什么差别 有何不同 有何区别 的区别是什么 区别是什么 区别在哪",
    "区别": "区别 差别 差异",
    "@what": "什么 啥 什么意思 哪些 哪个 哪种 哪一个 哪一种 哪几个 何 なに とは とは何 とは何ですか",
    "@what @defined": "什么是 什么叫 什么叫做 啥是 啥叫",
    "@what @listed": "有那些 有哪些 有什么 都有哪些 都有什么 有啥",
    "去 @where": "去哪 去哪儿 去哪里",
    "@where": "那里有 哪里 哪儿 在哪里 在哪儿 在哪 何处 什么地方 どこ",
    "@who": "谁 什么人 被谁 だれ 誰",
    "@when": "几号 哪一天 什么时候 何时 几点 哪天 哪年 哪一年 什么时间 什么日期 几月几日 いつ",
    "@many": "多少 几 多少个 几个 いくつ いくら",
    "@can": "能 可以 能够 会",
    "@must": "必须 应该 要 得要 需要",
    "not": "不 没 没有 无 非 别 未 莫 勿 不是 不能 无法 没法 没办法 ない ません なかった",
    "not @must": "不用 不必 无需 不需要",
    "忘": "忘记 遗忘 忘掉",
    "关": "关掉 关闭 关上",
    "开": "打开 开启",
    "买": "购买",
    "大": "巨大",
    "方": "方法 办法 方式",
    "翻": "翻译",
    "改": "修改 更改 变更",
    "删": "删除 删掉",
    "查": "查询 查看 查找",
    "学": "学习",
    "号": "号码",
    "账": "账号 账户 帐号 帐户",
    "妈": "妈妈 母亲",
    "爸": "爸爸 父亲",
    "你": "您",
    "番茄": "西红柿",
    "中文": "中文 汉语",
    "英语": "英语 英文",
    "日语": "日语 日文",
    "法语": "法语 法文",
    "德语": "德语 德文",
    "韩语": "韩语 韩文",
    "好": "比较好",
    "用": "使用",
    "@many 号 线": "几号线",
    **{sign: f"{sign}色" for sign in "红蓝绿黄白黑紫灰粉橙棕"},
    "世 界": "世界上",
    "手 机": "手机上 手机里",
    "电脑": "电脑 电脑上 计算机",
    "が": "は",
    "别人": "别人 他人",
    "not 同 意": "不同意",
    "not 同 步": "不同步",
    "一": "一样",
    "万一": "万一",
    "$": "美元 美金",
    "€": "欧元",
    "¥": "日元",
    "£": "英镑",
    "cny": "人民币",
    "%": "百分之",
    "km": "公里 千米",
    "mile": "英里",
    "kg": "公斤 千克",
    "cm": "厘米 公分",
    "h": "小时",
    "minute": "分钟",
    "celsius": "摄氏度",
    "fahrenheit": "华氏度",
    "china": "中国",
    "usa": "美国",
    "uk": "英国",
    "japan": "日本",
    "france": "法国",
    "germany": "德国",
    "russia": "俄罗斯",
    "india": "印度",
    "italy": "意大利",
    "canada": "加拿大",
    "australia": "澳大利亚",
}
"""What phrases stand for; nothing for particles and politeness."""
SIDES = frozenset(
    (*listed("$ € ¥ £ cny km mile kg cm h minute celsius fahrenheit"), *"中英日法德韩俄美米克斤吨升秒天周月年")
)
"""Two of these side by side are a direction: `中英翻译`, `英中翻译`, and `一米多少厘米`."""
_WHOLE = (
    "别的 特别 性别 级别 识别 告别 分别 别墅 类别 辨别 离别 个别 鉴别 沉没 淹没 没落 不错 不同 不过 不但 不仅 "
    "不久 差不多 不小心 不好意思 无线 无限 无锡 无人机 无聊 非洲 是非 非主流 未来 未婚 莫斯科 莫名其妙 一起 一定 "
    "一直 统一 唯一 干嘛 三星 百度 万能 千万 四川 三亚 五金 "
    "现在 正在 存在 其他 其它 吉他 实在 自在 在线 内在 外在 潜在 "
    "首都 成都 京都 都市 人才 天才 刚才 才华 才艺 才智"
)
"""Words with a character that says `not`, `in` or a number elsewhere; they say nothing of the kind."""
_EDGES = {
    **dict.fromkeys(("怎么", "怎样", "咋样", "如何"), ("@how", "@good")),
    **dict.fromkeys(("了没", "嘛", "么"), ("@yes",)),
    "什么的": ("@what", "什么的"),
}
"""What stands at the end of a question: `手机怎么样` asks how good it is, `怎么样开机` how it is done."""
_PHRASES = {phrase: meaning.split() for meaning, phrases in _MEANINGS.items() for phrase in phrases.split()}
_PHRASES |= {word: [word] for word in _WHOLE.split()}
_BEGUN_BY: dict[str, list[str]] = {}
"""Characters, and the phrases that begin with them: the longest first."""
for _phrase in sorted(_PHRASES, key=len, reverse=True):
    _BEGUN_BY.setdefault(_phrase[0], []).append(_phrase)
_PIECE = re.compile(f"[{HAN_NUMERALS}]{{1,12}}|[\u30a1-\u30ff]+|.", re.DOTALL)
_REQUEST = re.compile(
    "[你您]?(?:能不能|能否|可不可以|可否|可以|能)请?(?:帮|给|告诉|解释|说明|介绍|讲|写|翻译|推荐|列|总结|说|提供)"
)
"""Who asks so wants it done: `你能解释黑洞吗` is `解释黑洞`."""
_OPENING = re.compile(
    "求(?![婚职和助解导证学生偶救知得值爱饶])|我?想要?+(?![你他她它我念吐法象知问了请])"
    "|我的?+(?!们|国|世界|[和跟与比是爱喜说叫])|(?P<blank>什么的)(?=.)"
)
_ENDING = re.compile(
    "(?:(?P<asking>怎么样|怎样|咋样|如何|了没有|了没|(?<!干)嘛|(?<![什怎多这那])么)[呢啊呀吧的好]*"
    "|[阿啦哦噢]+|(?<![要需请追征恳央寻])求|(?<![着紧焦应性救])急+)$"
)
