# SPDX-License-Identifier: GPL-2.0-only
"""sysfs_doc - compare a folder of sysfs with its Documentation/ABI file.

Names, one value a file, who may write, the range and the default of what can
be written; and what is refused changes nothing.  A module's own tests are added
with @abi.test().
"""
import errno
import os
import re
import stat
import sys

REPO = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


class SysfsDoc:
    """The folder @root and the document @doc that describes it.

    Parts of a documented path in <angle brackets> stand for any number.
    """

    def __init__(self, root, doc):
        self.root = root
        self.doc = {}
        self.tests = []
        self._read(os.path.join(REPO, "Documentation/ABI/testing", doc))
        for what, check in (
                ("every attribute is documented, every documented one exists",
                 self._names),
                ("one value a file, on one line", self._one_value),
                ("only what is documented so can be written, and only by root",
                 self._modes),
                ("defaults are as documented", self._defaults),
                ("the ends of a range are accepted", self._ends),
                ("beyond them is refused and changes nothing", self._beyond)):
            self.tests.append((what, check))

    def _read(self, path):
        for block in open(path).read().split("\n\n"):
            names = re.findall(r"^(?:What:)?\s+" + self.root + r"/(\S+)$",
                               block, re.M)
            if not names:
                raise SystemExit("Bail out! a block without What: " +
                                 block[:60])
            text = " ".join(block.split())
            span = re.search(r"Range: (\d+) to (\d+)\.", text)
            flag = "Range: 0, 1." in text
            default = re.search(r"Default: (\S+)\.", text)
            for name in names:
                self.doc[name] = (
                    "Read and write (root)" in text,
                    int(span.group(1)) if span else 0 if flag else None,
                    int(span.group(2)) if span else 1 if flag else None,
                    default.group(1) if default else None)

    def existing(self):
        return sorted(os.path.relpath(os.path.join(d, f), self.root)
                      for d, _, files in os.walk(self.root) for f in files)

    def documented(self, name):
        """The documented name that stands for @name, or None."""
        for n in self.doc:
            if re.fullmatch(re.sub(r"<[^>]*>", r"\\d+", n), name):
                return n
        return None

    def example(self, name):
        """An existing file that the documented @name stands for."""
        return next(n for n in self.existing() if self.documented(n) == name)

    def read(self, name):
        return open(os.path.join(self.root, name)).read()

    def write(self, name, text):
        """0 or the errno"""
        try:
            fd = os.open(os.path.join(self.root, name), os.O_WRONLY)
            try:
                os.write(fd, text.encode())
            finally:
                os.close(fd)
        except OSError as e:
            return e.errno
        return 0

    def _names(self):
        here = self.existing()
        met = {self.documented(n) for n in here}
        return [f"not documented: {n}" for n in here
                if not self.documented(n)] + \
            [f"does not exist: {n}" for n in self.doc if n not in met]

    def _one_value(self):
        return [f"{n}: {self.read(n)!r}" for n in self.existing()
                if not re.fullmatch(r"[^\s]*\n", self.read(n))]

    def _modes(self):
        bad = []
        for n in self.existing():
            mode = stat.S_IMODE(os.stat(os.path.join(self.root, n)).st_mode)
            writable = self.doc[self.documented(n)][0]
            if mode != (0o644 if writable else 0o444):
                bad.append(f"{n}: {mode:o}")
        return bad

    def _defaults(self):
        want = {self.example(n): "" if d[3] == "empty" else d[3]
                for n, d in self.doc.items() if d[3] is not None}
        return [f"{n}: {self.read(n).strip()}, documented {v}"
                for n, v in want.items() if self.read(n).strip() != v]

    def _ranges(self):
        for n, (rw, low, high, _) in self.doc.items():
            if rw and low is not None:
                yield self.example(n), low, high

    def _ends(self):
        bad = []
        for n, low, high in self._ranges():
            old = self.read(n)
            for v in (low, high):
                err = self.write(n, str(v))
                if err or int(self.read(n)) != v:
                    bad.append(f"{n}: {v}: {errno.errorcode.get(err, err)}")
            self.write(n, old)
        return bad

    def _beyond(self):
        bad = []
        for n, low, high in self._ranges():
            old = self.read(n)
            values = ["x", "1x", str(high + 1), "99999999999999999999"]
            values += [str(low - 1)] if low else ["-1"]
            for v in values:
                # strtobool reads the first letter, takes any digits after it
                if high == 1 and v in ("1x", "99999999999999999999") and \
                        not self.write(n, v):
                    self.write(n, old)
                    continue
                err = self.write(n, v)
                if err not in (errno.EINVAL, errno.ERANGE) or \
                        self.read(n) != old:
                    bad.append(f"{n}: '{v}': {errno.errorcode.get(err, err)},"
                               f" now {self.read(n).strip()}")
                    self.write(n, old)
        return bad

    def test(self, what):
        def add(f):
            self.tests.append((what, f))
            return f
        return add

    def run(self):
        """Print TAP and exit."""
        print("TAP version 13")
        print(f"1..{len(self.tests)}")
        failed = 0
        for number, (what, check) in enumerate(self.tests, 1):
            found = check()
            for line in found:
                print("# Expected otherwise:", line)
            failed += bool(found)
            print("not ok" if found else "ok", number, what)
        sys.exit(failed > 0)
