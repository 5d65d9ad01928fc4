"""Every public function says in its header what it does.

A declaration counts as documented when a comment stands right above it or on its own lines, or when
it follows a documented one without a blank line between (a group under one comment)."""
import re

from scopes import statements

_SKIP = re.compile(r"(typedef|struct|enum|union|static|extern \"C\")\b(?!.*\)\s*(__attribute__.*)?;$)|typedef|static")
_MACRO = re.compile(r"[A-Z_0-9]+\(")


def _is_prototype(text):
    return text.endswith(";") and "(" in text and not _SKIP.match(text) and not _MACRO.match(text)


def check(sources, root):
    findings = []
    for s in sources:
        if not s.path.endswith(".h") or s.folder == "tests":
            continue
        last_end, last_documented = 0, False
        for begin, end, text in statements(s.code):
            above = s.text[last_end:begin]
            trailing = s.text[end:].split("\n", 1)[0]
            comment_above = re.search(r"(//[^\n]*|\*/)[ \t]*\n[ \t]*$", above) is not None
            on_lines = "//" in trailing or "/*" in trailing or s.text[begin:end] != s.no_comments[begin:end]
            grouped = last_documented and above.count("\n") <= 1
            documented = comment_above or on_lines or grouped
            if _is_prototype(text) and not documented:
                name = re.search(r"(\w+)\s*\(", text)
                findings.append(s.finding(begin, f"{name[1] if name else text}() has no comment"))
            last_end = end + len(trailing)
            last_documented = documented if _is_prototype(text) else comment_above and "(" in text
    return findings
