"""Pairs of words that turn a question around: an answer to the one is wrong for the other.

A table only, of English and Chinese. It bars that two such words pass for one, and names the reason of a refusal.
Entry points: `OPPOSITES`, `HAN_OPPOSITES`.
"""

from __future__ import annotations

_PAIRS = (
    "largest/smallest biggest/smallest largest/least biggest/littlest larger/smaller bigger/smaller big/small "
    "large/small large/little tall/short tallest/shortest taller/shorter long/short longest/shortest longer/shorter "
    "high/low higher/lower highest/lowest wide/narrow widest/narrowest wider/narrower deep/shallow deepest/shallowest "
    "heavy/light heavier/lighter heaviest/lightest thick/thin fat/thin strong/weak stronger/weaker strongest/weakest "
    "strength/weakness fast/slow faster/slower fastest/slowest quick/slow early/late earlier/later earliest/latest "
    "old/new older/newer oldest/newest old/young older/younger oldest/youngest hot/cold hotter/colder hottest/coldest "
    "warm/cool warmer/cooler rich/poor richest/poorest cheap/expensive cheaper/dearer cheapest/dearest good/bad "
    "better/worse best/worst more/less more/fewer most/least most/fewest much/little many/few maximum/minimum max/min "
    "maximize/minimize upper/lower increase/decrease increase/reduce raise/lower raise/reduce rise/fall grow/shrink "
    "gain/lose up/down above/below over/under over/below ascending/descending upload/download upgrade/downgrade "
    "start/stop start/end start/finish begin/end begin/finish open/close open/shut enable/disable activate/deactivate "
    "in/out on/off add/remove add/delete add/subtract multiply/divide plus/minus insert/delete insert/remove "
    "create/delete create/destroy install/uninstall install/remove show/hide lock/unlock block/unblock zip/unzip "
    "compress/decompress encrypt/decrypt encode/decode connect/disconnect attach/detach mute/unmute pack/unpack "
    "load/unload subscribe/unsubscribe follow/unfollow freeze/unfreeze freeze/thaw buy/sell import/export push/pull "
    "give/take give/receive send/receive lend/borrow rent/own hire/fire win/lose attack/defend love/hate like/dislike "
    "accept/reject accept/decline approve/decline allow/forbid allow/prevent allow/deny grant/revoke permit/forbid "
    "login/logout login/signup join/leave enter/leave enter/exit arrive/leave arrive/depart arrival/departure come/go "
    "inside/outside indoor/outdoor internal/external input/output import/export before/after first/last former/latter "
    "next/previous past/future ancient/modern left/right top/bottom front/back north/south east/west northern/southern "
    "eastern/western with/without for/against all/some all/none every/some always/never everything/nothing "
    "everyone/nobody both/either and/or advantage/disadvantage pro/con benefit/drawback benefit/risk positive/negative "
    "success/failure succeed/fail pass/fail true/false right/wrong correct/incorrect possible/impossible legal/illegal "
    "safe/dangerous safe/unsafe healthy/unhealthy public/private male/female man/woman boy/girl father/mother "
    "son/daughter brother/sister husband/wife king/queen uncle/aunt he/she day/night morning/evening am/pm "
    "summer/winter spring/autumn sunrise/sunset dawn/dusk today/tomorrow today/yesterday tomorrow/yesterday war/peace "
    "life/death live/die birth/death alive/dead born/die wet/dry hard/soft hard/easy difficult/easy simple/complex "
    "full/empty clean/dirty bright/dark sweet/sour loud/quiet single/married teacher/student parent/child "
    "employer/employee buyer/seller client/server sender/receiver borrower/lender landlord/tenant plaintiff/defendant "
    "import/export credit/debit profit/loss income/expense asset/liability revenue/cost hypertension/hypotension "
    "hyperthermia/hypothermia hyperglycemia/hypoglycemia inductive/deductive inhale/exhale implicit/explicit "
    "include/exclude including/excluding including/except include/except sync/desync mount/unmount tie/untie "
    "convex/concave vertical/horizontal synchronous/asynchronous mutable/immutable stateful/stateless odd/even "
    "prefix/suffix push/pop encode/decode save/spend save/delete save/discard deposit/withdraw debit/credit "
    "increase/drop ascend/descend accelerate/brake appear/disappear like/unlike able/unable likely/unlikely gain/loss "
    "be/find majority/minority friend/enemy ally/enemy question/answer cause/effect cause/cure"
)
_HAN_PAIRS = (
    "开/关 打开/关闭 打开/关掉 大/小 多/少 高/低 高/矮 长/短 快/慢 新/旧 早/晚 最早/最晚 好/坏 贵/便宜 上/下 "
    "左/右 前/后 "
    "里/外 买/卖 进/出 增/减 增加/减少 提高/降低 最大/最小 最多/最少 优点/缺点 开始/结束 加/减 乘/除 来/去 男/女 冷/热 "
    "白天/晚上 上午/下午 以前/以后 之前/之后 支持/反对 添加/删除 安装/卸载 启用/禁用 连接/断开 登录/退出 "
    "导入/导出 上传/下载 "
    "胖/瘦 轻/重 远/近 生/死 輸/贏 输/赢 借/还 上げ/下げ 増/減 昨天/明天 今天/明天 昨天/今天 昨日/明日 @defined/@listed"
)

OPPOSITES = frozenset(frozenset(pair.split("/")) for pair in _PAIRS.split())
"""Pairs of English words, not stemmed."""
HAN_OPPOSITES = frozenset(frozenset(pair.split("/")) for pair in _HAN_PAIRS.split())
"""Pairs of words of Chinese or Japanese characters."""
