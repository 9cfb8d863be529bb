"""Groups source files into few translation units, which saves most of the time of a build (headers and templates are
compiled once per group); prints the files to compile.

    tools/unity.py OUT PREFIX ROOT[:ROOT...] FILE...

A group is a file OUT/PREFIX_N.cpp that includes its members by their path below one of the ROOTs. Files go together
only where no name of an unnamed namespace of one stands anywhere in another, so that no file need know of the groups.
"""

import pathlib
import re
import sys

LINES = 2000  # of a group at most
OPEN = re.compile(r"^namespace \{$", re.M)
CLOSE = re.compile(r"^\}  // namespace$", re.M)
# The name that a declaration at the left margin declares: a type, an alias, a function or a variable.
DECLARED = re.compile(r"^(?=\w)(?:template <.*> ?)?(?:(?:class|struct|enum(?: class)?|union|using|namespace) (\w+)"
                      r"|[\w:<>,*& \[\]\"().|]*?\b(\w+) ?(?:\(|=|\{|;|\[))", re.M)
CLASS = re.compile(r"^(?:class|struct) \w+[^;{]*(\{.*?^\};)", re.M | re.S)
WORD = re.compile(r"\w+")
# What decides on its own what follows, or what a header of another member may mean to it.
ALONE = re.compile(r"^#\s*(?:define|undef|pragma)|^using namespace|operator new", re.M)
GTEST = re.compile(r"(?<![:\w])testing::(?:Test|Values|Range|Bool|Combine|Unit|Init|Temp|Assert|Static|Param|Register)")
OURS = re.compile(r"^namespace ashlar::testing|#include \"support/", re.M)


class File:
    def __init__(self, path: pathlib.Path):
        text = path.read_text()
        self.path, self.lines = path, text.count("\n")
        self.alone = bool(ALONE.search(text))
        plain = re.sub(r"//.*|\"(?:[^\"\\\n]|\\.)*\"", "", text)
        self.words = set(WORD.findall(plain))
        self.names, outside = set(), text
        for start in OPEN.finditer(text):
            end = CLOSE.search(text, start.end())
            inside = text[start.end():end.start() if end else len(text)]
            self.names.update(a or b for a, b in DECLARED.findall(inside))
            outside = outside.replace(inside, "")
        # A class that others may name and whose members they may not: gcc warns of it in an included file.
        self.alone |= any(name in self.names for body in CLASS.findall(outside) for name in WORD.findall(body))
        # What is no name of its own: macros of tests, operators, and aliases that mean the same everywhere.
        self.names -= {"TEST", "TEST_F", "TEST_P", "INSTANTIATE_TEST_SUITE_P", "operator", "fs", "testing"}
        self.kind = 1 if GTEST.search(text) else 2 if OURS.search(text) else 0


class Group:
    def __init__(self, first: File):
        self.members, self.lines = [first], first.lines
        self.names, self.words, self.kinds = set(first.names), set(first.words), {first.kind}

    def takes(self, file: File) -> bool:
        return (not file.alone and not self.members[0].alone and self.lines + file.lines <= LINES
                and not file.names & self.words and not self.names & file.words
                and not {1, 2} <= self.kinds | {file.kind})

    def add(self, file: File) -> None:
        self.members.append(file)
        self.lines += file.lines
        self.names |= file.names
        self.words |= file.words
        self.kinds.add(file.kind)


def main() -> None:
    out, prefix, roots = pathlib.Path(sys.argv[1]), sys.argv[2], [pathlib.Path(r) for r in sys.argv[3].split(":")]
    groups: list[Group] = []
    for file in map(File, map(pathlib.Path, sorted(sys.argv[4:]))):
        group = next((g for g in groups if g.takes(file)), None)
        if group:
            group.add(file)
        else:
            groups.append(Group(file))
    out.mkdir(parents=True, exist_ok=True)
    sources = []
    for number, group in enumerate(groups):
        if len(group.members) == 1:
            sources.append(str(group.members[0].path))
            continue
        text = "// Made by tools/unity.py.\n"
        for member in group.members:
            root = next(r for r in roots if member.path.is_relative_to(r))
            text += f'#include "{member.path.relative_to(root)}"\n'
        file = out / f"{prefix}_{number}.cpp"
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
        sources.append(str(file))
    print(";".join(sources), end="")


if __name__ == "__main__":
    main()
