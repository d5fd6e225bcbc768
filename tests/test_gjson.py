"""What the path language promises: gjson's answers, errors for mistakes, and never a failure on a document."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from llmcache.gjson import NOTHING, PathError, Result, compile_path

REFERENCE = Path(__file__).parents[2] / "shared" / "data" / "gjson" / "cases.json"
ANSWERED = ("core", "lines", "lenient")  # the fourth group needs a modifier that a Go program registers


def reference():
    """Yield the recorded answers of the Go library as test parameters, or one skip."""
    if not REFERENCE.exists():
        reason = f"{REFERENCE.name} of the shared gjson data is not beside this checkout"
        yield pytest.param(None, None, marks=pytest.mark.skip(reason=reason), id="absent")
        return
    recorded = json.loads(REFERENCE.read_text("utf-8"))
    for case in recorded["cases"]:
        if case["group"] in ANSWERED:
            yield pytest.param(case, recorded["documents"][case["document"]], id=case["id"])


@pytest.mark.parametrize(("case", "document"), list(reference()))
def test_reference(case, document):
    """Every recorded answer of the Go library is given to the byte: existence, type, string and raw text."""
    expected = Result(case["exists"], case["type"], case["string"], case["raw"])
    assert expected == compile_path(case["path"]).get(document)


REQUEST = """{
  "model": "small-1", "n": 2, "temperature": 0.50, "big": 9007199254740993, "stream": true, "seed": null,
  "meta": {"team.name": "infra", "a*b": 1, "ab": 2, "cost": {"usd": 1e-3}, "tags": ["x", ["y", ["z"]], []]},
  "messages": [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Why \\"so\\"?", "id": 7},
    {"role": "assistant", "content": null, "calls": [{"name": "look", "args": "{\\"at\\":[1,2]}"}, {"name": "leap"}]},
    {"role": "tool", "content": "3 < 4", "ok": true},
    {"role": "user", "content": [{"type": "text", "text": "And now?"}, {"type": "image"}], "id": 12}
  ]
}"""

ANSWERS = {
    "keys": {
        "model": '"small-1"',
        "messages.1.role": '"user"',
        "messages.01.role": '"user"',
        "messages.4.content.0.text": '"And now?"',
        "messages.5": "",
        "model.x": "",
        "seed": "null",
        "seed.x": "",
        "temperature": "0.50",
    },
    "escapes": {
        r"meta.team\.name": '"infra"',
        "meta.team.name": "",
        r"meta.a\*b": "1",
        r"meta.\ab": "2",
    },
    "wildcards": {
        "mod*": '"small-1"',
        "m?del": '"small-1"',
        "m*.cost.*": "1e-3",
        "*.team*": '"infra"',
        "messages.*.role": "",
        "?": "2",
        r"meta.\a*": "1",
    },
    "count": {
        "messages.#": "5",
        "messages|#": "5",
        "model.#": "",
        "meta.tags.2.#": "0",
        "messages.#.role": '["system","user","assistant","tool","user"]',
        "messages.#.id": "[7,12]",
        "messages.#.calls.#.name": '[["look","leap"]]',
        "messages.#.calls.#": "[2]",
    },
    "queries": {
        'messages.#(role=="tool").content': '"3 < 4"',
        'messages.#(role="tool").content': '"3 < 4"',
        "messages.#(role=tool).content": '"3 < 4"',
        'messages.#[role=="tool"].content': '"3 < 4"',
        'messages.#( role == "user" )#.id': "[7,12]",
        'messages.#(role!="user")#.role': '["system","assistant","tool"]',
        "messages.#(id<12)#.id": "[7]",
        "messages.#(id<=12)#.id": "[7,12]",
        "messages.#(id>7)#.id": "[12]",
        "messages.#(id>=7)#.id": "[7,12]",
        'messages.#(role>"system")#.role': '["user","tool","user"]',
        'messages.#(role%"?s*")#.role': '["user","assistant","user"]',
        'messages.#(role!%"*s*")#.role': '["tool"]',
        'messages.#(content%"Why*\\"so\\"?")#.id': "[7]",
        'messages.#(content%"*\\\\?")#.id': "[7]",
        "messages.#(ok==true).role": '"tool"',
        "messages.#(ok!=true).role": "",
        "messages.#(ok>=false).role": '"tool"',
        "messages.#(calls)#.role": '["assistant"]',
        'messages.#(role=="nobody")': "",
        'messages.#(role=="nobody")#': "[]",
        'meta.tags.#(=="x")': '"x"',
        'meta.tags.#(!="x")#': "[]",
        "model.#(a=1)": "",
    },
    "nested queries": {
        'messages.#(calls.#(name=="leap")).role': '"assistant"',
        'messages.#(content.#(type=="text").text%"And*").id': "12",
        "messages.#(calls.#>1)#.role": '["assistant"]',
        "messages.#(calls.0.args.@fromstr.at.#(==2)).role": '"assistant"',
    },
    "tilde": {
        "messages.#(ok==~true)#.role": '["tool"]',
        "messages.#(ok==~false)#.role": '["system","user","assistant","user"]',
        "messages.#(content==~null)#.role": '["assistant"]',
        "messages.#(id==~*)#.role": '["user","user"]',
        "messages.#(id!=~*)#.role": '["system","assistant","tool"]',
        "messages.#(id==~true)#.id": "[7,12]",
    },
    "pipe and dot": {
        "messages|1|role": '"user"',
        "messages.#.role|0": '"system"',
        "messages.#.role.0": "[]",
        'messages.#(role=="user")#.id|1': "12",
        'messages.#(role=="user")#.id.1': "[]",
        'messages.#(role=="user")#|#': "2",
        'messages.#(role=="nobody")#.id|0': "[]",
        'messages.#(role=="user").id|@tostr': '"7"',
        "nope|@keys": "[]",
        "nope.nope|@keys": "",
    },
    "modifiers": {
        "messages.@reverse.0.id": "12",
        'messages.@reverse.#(role=="user").id': "12",
        "meta.cost.@reverse": '{"usd":1e-3}',
        "meta.tags.@reverse": '[[],["y", ["z"]],"x"]',
        "model.@reverse": '"small-1"',
        "meta.tags.@flatten": '["x","y", ["z"]]',
        'meta.tags.@flatten:{"deep":true}': '["x","y","z"]',
        'meta.tags.@flatten:{"deep":false}|#': "3",
        "messages.@join.role": '"user"',
        "messages.@join.ok": "true",
        'messages.@join:{"preserve":true}.role': '"system"',
        "meta.@keys": '["team.name","a*b","ab","cost","tags"]',
        "meta.tags.@keys": "[null,null,null]",
        "meta.cost.@values": "[1e-3]",
        "n.@values": "[2]",
        "messages.3.content.@tostr": r'"\"3 \u003c 4\""',
        "messages.2.calls.0.args.@fromstr.at.1": "2",
        "model.@fromstr": "",
        "n.@this": "2",
        "@this.n": "2",
        "@valid.n": "2",
        "messages.4.content.0.@ugly": '{"type":"text","text":"And now?"}',
        "meta.cost.@pretty": '{\n  "usd": 1e-3\n}',
        'meta.cost.@pretty:{"indent":"\\t","prefix":" "}': '{\n \t"usd": 1e-3\n }',
        'meta.tags.@pretty:{"width":12}': '[\n  "x",\n  [\n    "y",\n    ["z"]\n  ],\n  []\n]',
        '{"b":n,"a":n}.@pretty:{"sortKeys":true}': '{\n  "a": 2,\n  "b": 2\n}',
        '{"id":messages.#.id,"role":messages.#.role}.@group|1': '{"id":12,"role":"user"}',
        "@dig:id": "[7,12]",
        "messages.@dig:calls.0.name": '["look"]',
        "@dig:name|1": '"leap"',
        "@dig:#(type)": '[{"type": "text", "text": "And now?"}]',
    },
    "multipaths": {
        "{model,n}": '{"model":"small-1","n":2}',
        "[model,nope,n]": '["small-1",2]',
        '{"m":model,t:temperature}': '{"m":"small-1","t":0.50}',
        'messages.#.{role,"n":id}|1': '{"role":"user","n":7}',
        "[model,[n,seed]].1": "[2,null]",
        "{n,model}.model": '"small-1"',
        "{messages.#,n}": '{"_":5,"n":2}',
        "[messages.0.@keys,meta.tags.@flatten:{}|0]": '[["role","content"],"x"]',
        "{}": "{}",
    },
    "literals": {
        '!"a.b"': '"a.b"',
        "!true": "true",
        "!-1.5": "-1.5",
        '!{"a":[1,2]}.a.1': "2",
        '{model,"v":!2,"w":!"x"}': '{"model":"small-1","v":2,"w":"x"}',
        "nope|!null": "null",
    },
}


@pytest.mark.parametrize(
    ("path", "raw"),
    [pytest.param(path, raw, id=f"{part}: {path}") for part, cases in ANSWERS.items() for path, raw in cases.items()],
)
def test_answers(path, raw):
    """Each construct of the language finds this text in a request, or nothing."""
    assert raw == compile_path(path).get(REQUEST).raw.removesuffix("\n")


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("..#", "3"),
        ("..1.delta", '"b"'),
        ("..#.delta", '["a","b"]'),
        ("..#(done).n", "2"),
        ("..3", ""),
        ("delta", '"a"'),
    ],
)
def test_json_lines(path, raw):
    """Two dots read line after line as the elements of an array."""
    assert raw == compile_path(path).get('{"delta":"a"}\n{"delta":"b"}\n{"done":true,"n":2}\n').raw


@pytest.mark.parametrize(
    ("value", "kind", "string"),
    [
        ("1.0", "Number", "1"),
        ("1e3", "Number", "1000"),
        ("0.5e-7", "Number", "0.00000005"),
        ("-0", "Number", "-0"),
        ("1e999", "Number", "+Inf"),
        ("12345678901234567890", "Number", "12345678901234567890"),
        ("12345678901234567890.0", "Number", "12345678901234567000"),
        ("null", "Null", ""),
        ("false", "False", "false"),
        ('"\\ud83d\\ude00\\u0041\\n\\/"', "String", "\U0001f600A\n/"),
        ('"\\ud800"', "String", "\ufffd"),
        ('"ends in \\\\"', "String", "ends in \\"),
        ("[ 1 ]", "JSON", "[ 1 ]"),
    ],
)
def test_printing(value, kind, string):
    """A value is printed as Go prints it, and its raw text is the document's."""
    assert Result(exists=True, type=kind, string=string, raw=value) == compile_path("a").get(
        f'{{"a": {value} , "b":1}}'
    )


@pytest.mark.parametrize(
    ("document", "path", "raw"),
    [
        pytest.param('{"a":1,"a":2}', "a", "1", id="the first of duplicate keys"),
        pytest.param('{"a":1,"a":{"b":2}}', "a.b", "2", id="the first that can take the rest"),
        pytest.param('{"\\u0061":1}', "a", "1", id="escaped key"),
        pytest.param('{"a":1,"b":"tru', "a", "1", id="truncated behind"),
        pytest.param('{"a":"tru', "a", "", id="truncated inside"),
        pytest.param('{"a":[1,2', "a", "[1,2", id="truncated array"),
        pytest.param('{"a":[1,],}', "a.#", "1", id="trailing commas"),
        pytest.param('\ufeff{"a":1}', "a", "1", id="byte order mark"),
        pytest.param('"{\\"a\\":1}"', "a", "", id="a string is not searched"),
        pytest.param('["{\\"a\\":1}"]', "#.a", "[]", id="a string element is not searched"),
        pytest.param("", "a", "", id="empty"),
        pytest.param("nonsense", "a", "", id="no JSON"),
        pytest.param(b'{"a":"\xff\xfe","b":1}', "b", "1", id="not UTF-8"),
        pytest.param(b'{"a":"\xc3\xa9"}', "a", '"\xe9"', id="bytes"),
        pytest.param('{"a":{"b":"}]"},"c":1}', "c", "1", id="brackets in a string"),
        pytest.param('{"":{"":1}}', ".", "1", id="empty keys"),
        pytest.param('{"#":{"x":1}}', "#.x", "1", id="a member called #"),
    ],
)
def test_odd_documents(document, path, raw):
    """Odd and broken documents give what stands before the fault."""
    assert raw == compile_path(path).get(document).raw


@pytest.mark.parametrize(
    ("path", "says"),
    {
        "choices[0].message": "an index is written a.0",
        "$.messages[-1]": "bare '['",
        "messages.#(role==user": "no ')'",
        "messages.#(role==user]": "unbalanced brackets",
        'messages.#(role=="user)': "unbalanced quotes",
        "messages.#()": "an empty query",
        "messages.#(a!b)": "no comparison",
        "messages.#(a==~yes)": "one of ~true ~false ~null ~*",
        'messages.#(a=="x"y)': "no JSON string",
        "messages.#(a=1)x": "expected . or |",
        "{model": "no '}'",
        "[model]x": "expected . or |",
        "f(x": "unbalanced parentheses",
        "a\\": "ends with a backslash",
        "a.@flatten:true": "takes a JSON object of deep",
        'a.@flatten:{"depth":1}': "no option 'depth'",
        "a.@keys:upper.@reverse": "takes no argument",
        'a.@join:{"preserve":true}b': "expected . or |",
        "!{a}": "no JSON",
        '!"x".y': "nothing may follow",
        "|".join("a" * 5000): "nested too deeply",
        "{" * 5000: "nested too deeply",
    }.items(),
    ids=lambda text: text[:30],
)
def test_mistakes(path, says):
    """A path that would silently find nothing is refused, and the message says what is wrong."""
    with pytest.raises(PathError, match="path") as refused:
        compile_path(path)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("path", "says"),
    {
        "a.@revers": "'@revers'",
        "@case:upper": "'@case:upper'",
        "a|!yes": "'!yes'",
        "messages.-1.content": "@reverse.0",
        "$.model": "root",
        "a..b": "empty part",
        "": "empty part",
        "{a, b}": "white space",
        "[@dig:x]": "@this.@dig:x",
        "a.#(@foo==1)": "'@foo'",
    }.items(),
    ids=lambda text: text[:30] or "empty",
)
def test_warnings(path, says):
    """A path that is probably a mistake compiles, with one warning that names it."""
    (warning,) = compile_path(path).warnings
    assert says in warning


@pytest.mark.parametrize("path", ["messages.@reverse.0.content", r"a\@b.\-1", 'a.#(b==" x ")#|@this', '{"k":a}'])
def test_no_warnings(path):
    """A sound path has no warnings."""
    assert compile_path(path).warnings == ()


@pytest.mark.parametrize("path", ["a.a.a", "#.#.#", '@flatten:{"deep":true}', "@pretty", "@dig:a", "*.*.*", "@valid"])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting(path, opening):
    """Nesting far beyond Python's stack neither fails nor takes time out of proportion."""
    assert isinstance(compile_path(path).get(opening * 20_000), Result)


def test_too_deep_is_nothing():
    """Where the answer would need the whole depth it is missing."""
    assert compile_path("@dig:a").get("[" * 5000 + "]" * 5000) is NOTHING


def test_wildcards_do_not_explode():
    """Many stars against a long text that nearly matches are decided in one pass."""
    document = json.dumps([{"a" * 50_000: 1}, "ab" * 50_000])
    assert compile_path("0." + "*a" * 20 + "*b").get(document) is NOTHING
    assert compile_path(f'#(%"{"*?a" * 20}*c")').get(document) is NOTHING


documents = st.text(st.sampled_from('{}[]":,\\a1-.eantrufl \n\x00é\ud800') | st.characters(), max_size=60)
paths = st.text(st.sampled_from('ab01.|#()[]{}"\\@!=<>%~*?:,-') | st.characters(), max_size=25) | st.lists(
    st.sampled_from(["a", "0", "#", "@", ".", "|", "*", "(", ")", "{", "}", ",", "=", "~null", "!1", "a==1", "keys"])
    | st.sampled_from(["@" + name for name in ("reverse", "pretty", "flatten", "join", "group", "dig:a", "tostr")])
).map("".join)


@given(paths, documents | st.binary(max_size=60))
@example("@pretty", "[1 [")
@example("@join", '[{"a"')
def test_never_raises(path, document):
    """A path compiles or is refused with PathError; what compiles never fails on any document."""
    try:
        query = compile_path(path)
    except PathError:
        return
    found = query.get(document)
    assert (found is NOTHING) is (not found.exists)
    assert found.exists is bool(found.raw)


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(["a.b", "*", "#", "@this", "0"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def escaped(name):
    """Write a name so that it is read as nothing but a name."""
    return "".join(f"\\{char}" for char in name)


def places(value, path=()):
    """Yield the path of every value inside *value*, with the value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        here = (*path, escaped(key) if isinstance(key, str) else str(key))
        yield ".".join(here), child
        yield from places(child, here)


@given(values, st.booleans(), st.sampled_from([None, 2]))
def test_agrees_with_python(value, ascii_only, indent):
    """Down keys and indices the path finds what Python finds, however the JSON is laid out."""
    document = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    for path, expected in places(value):
        if path.startswith(".."):  # two empty names first would mean JSON lines: the language cannot say them
            continue
        found = compile_path(path).get(document)
        assert expected == json.loads(found.raw)
        if isinstance(expected, str):
            assert expected == found.string
