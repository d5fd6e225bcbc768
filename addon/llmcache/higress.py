"""What Higress' ai-cache was once configured with, rewritten to the settings of today.

A plugin configuration can be pasted as it is: old names are read under their new ones, each with a warning that says
how it is written now, and what cannot be carried over is a problem that says what to write instead.
`modernize` works on the section as parsed, before any setting is read; it knows names, not meanings.
The names are those of the plugin's versions 1 (2024-05), of the demo (2024-07) and of 2.0.1.
"""

from __future__ import annotations

import yaml

from .settings import Section, Setting


def modernize(root: Section) -> None:
    """Rewrite the old names in *root*, and note each."""
    _refuse_strangers(root)
    _refuse_demo(root)
    for old, new in RENAMED.items():
        _rename(root, old, new)
    for path in PATHS:
        _flatten_path(root, path)
    _redis_block(root)
    for name in ("cacheTTL", "cacheKeyPrefix"):
        _move_into_cache(root, name)
    if root.has("vector"):
        _rename(root.section("vector"), "serviceDomain", "serviceHost")


def _refuse_strangers(root: Section) -> None:
    if "spec" in root.settings:
        for name in ENVELOPE:
            root.pop(name)
    for name in STRANGERS.keys() & root.settings.keys():
        root.problem(name, STRANGERS[name])
        root.pop(name)


def _refuse_demo(root: Section) -> None:
    """Refuse the demo's block and fields: they name services by other rules, so no value of theirs can be used."""
    for name in [name for name in root.settings if name.lower() in ("dash", "dashvector")]:
        block = root.settings[name].node
        fields = [key.value for key, _ in block.value] if isinstance(block, yaml.MappingNode) else []
        todo = "; ".join(f"`{field}` is now {DEMO[field.lower()]}" for field in fields if str(field).lower() in DEMO)
        root.problem(
            name, f"is the 2024 demo's block; write an `embedding:` and a `vector:` block{todo and ': '}{todo}"
        )
        root.pop(name)
    for name in [name for name in root.settings if name.lower() in DEMO]:
        root.problem(name, f"is a setting of the 2024 demo; it is now {DEMO[name.lower()]}")
        root.pop(name)


def _rename(section: Section, old: str, new: str) -> None:
    if section.has(old):
        section.warning(old, f"is an old name; write `{new}`{_ignored(section, new)}")
    setting = section.pop(old)
    if setting is not None and not section.has(new):
        section.settings[new] = setting


def _flatten_path(root: Section, name: str) -> None:
    """Take the path out of `{requestBody: PATH}` or `{responseBody: PATH}`.

    Higress reads the text of the second as a path of its own, which caches the answer `{}` for every question.
    """
    setting = root.settings.get(name)
    if setting is None or not isinstance(setting.node, yaml.MappingNode):
        return
    fields = {key.value: value for key, value in setting.node.value if isinstance(key, yaml.ScalarNode)}
    if len(fields) == 1 and fields.keys() <= {"requestBody", "responseBody"}:
        ((field, node),) = fields.items()
        root.warning(name, f"the form with `{field}:` is old; write `{name}: PATH`")
        root.settings[name] = Setting(node, setting.line)
    else:
        root.problem(name, f"must be a GJSON path: `{name}: PATH`; its old form has one of requestBody, responseBody")
        root.pop(name)


def _redis_block(root: Section) -> None:
    """Let a `redis:` block be the `cache:` block, as Higress does."""
    if root.has("redis"):
        root.warning("redis", f"is an old name; write `cache:` with `type: redis`{_ignored(root, 'cache', 'replaced')}")
        root.settings["cache"] = root.settings["redis"]
        cache = root.section("cache")
        cache.pop("type")
        cache.put("type", "redis", cache.line)
    root.pop("redis")


def _move_into_cache(root: Section, name: str) -> None:
    """Honour a setting of the cache that stands at the top, which Higress does for one of the two only (#3720)."""
    if name not in root.settings:
        return
    cache = root.section("cache")
    if root.has(name):
        root.warning(name, f"belongs into the `cache:` block now: write `cache.{name}`{_ignored(cache, name)}")
    setting = root.pop(name)
    if setting is not None and not cache.has(name):
        cache.settings[name] = setting


def _ignored(section: Section, name: str, fate: str = "used") -> str:
    """Say what happens when the new spelling is there too."""
    if not section.has(name):
        return ""
    line = section.settings[name].line
    return f"; the one in line {line} is used" if fate == "used" else f"; the `{name}:` in line {line} is ignored"


RENAMED = {
    "returnResponseTemplate": "responseTemplate",
    "returnStreamResponseTemplate": "streamResponseTemplate",
}
PATHS = ("cacheKeyFrom", "cacheValueFrom", "cacheStreamValueFrom", "cacheToolCallsFrom")

_RULES = (
    "settings per route are a matter of Higress' gateway and are not read here; "
    "write one set of settings at the top level and name the providers that it is for in `match.hosts`"
)
_MANIFEST = (
    "this is a Kubernetes WasmPlugin resource; "
    "write what stands under `spec.defaultConfig` at the top level of this file"
)
STRANGERS = {
    "_rules_": _RULES,
    "matchRules": _RULES,
    "defaultConfig": _MANIFEST,
    "spec": _MANIFEST,
}
"""Settings of the gateway around the plugin, and what to do about each."""
ENVELOPE = ("apiVersion", "kind", "metadata", "status")
"""What stands around `spec` in a resource; one complaint is enough."""

DEMO = {
    "dashscopekey": "`embedding.apiKey` with `embedding.type: dashscope`",
    "dashscopeservicename": "`embedding.serviceName` with `embedding.type: dashscope`",
    "dashvectorcollection": "`vector.collectionID` with `vector.type: dashvector`",
    "dashvectorend": "`vector.serviceHost` with `vector.type: dashvector`",
    "dashvectorkey": "`vector.apiKey` with `vector.type: dashvector`",
    "dashvectorservicename": "`vector.serviceName` with `vector.type: dashvector`",
    "sessionid": "gone: leave it out",
}
"""The demo's fields in lower case (it spelled them in two ways), and where each belongs today."""
