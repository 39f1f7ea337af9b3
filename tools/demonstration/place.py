#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""place.py REPORT PID... - on which node the hot mappings of a target lie.

By place, not by access: of the mappings that got at least one percent of the
samples, the pages that /proc/PID/numa_maps shows on the node that makes most
accesses.  A mapping that many processes share counts once.  Mappings that
processes outside of the target have too are counted apart.
"""
import glob
import json
import re
import sys

LEAST = 0.01


def maps(pid):
    """{start: (key, name)}; the key is the same for all who share it"""
    found = {}
    try:
        for line in open(f"/proc/{pid}/maps"):
            span, perms, off, dev, inode, *name = line.split(None, 5)
            start = int(span.split("-")[0], 16)
            key = (dev, inode, off) if inode != "0" else (pid, start)
            found[start] = key, inode != "0", name[0].strip() if name else ""
    except OSError:
        pass
    return found


def pages(pid):
    """{start: {node: pages}}"""
    found = {}
    try:
        for line in open(f"/proc/{pid}/numa_maps"):
            start = int(line.split()[0], 16)
            size = re.search(r"kernelpagesize_kB=(\d+)", line)
            unit = int(size.group(1)) // 4 if size else 1
            found[start] = {int(n): int(c) * unit
                            for n, c in re.findall(r"\bN(\d+)=(\d+)", line)}
    except OSError:
        pass
    return found


def main():
    report = json.load(open(sys.argv[1]))
    target = {int(p) for p in sys.argv[2:]}
    matrix = report["matrix"]
    node = max(range(len(matrix)), key=lambda n: sum(matrix[n]))
    everybody = {int(p.split("/")[2]) for p in glob.glob("/proc/[0-9]*")}
    files_outside = {key for pid in everybody - target
                     for key, is_file, _ in maps(pid).values() if is_file}
    of = {pid: (maps(pid), pages(pid)) for pid in target}
    # by object and not by process: sixteen backends of one percent are one
    # hot buffer
    heat, placed = {}, {}
    for row in report["mappings"]:
        seen, where = of.get(row["pid"], ({}, {}))
        start = int(row["start"], 16)
        if start not in seen:
            continue
        key = seen[start][0]
        heat[key] = heat.get(key, 0) + row["samples"]
        now = where.get(start, {})
        if sum(now.values()) >= sum(placed.get(key, {}).values()):
            placed[key] = now
    total = {"inside": [0, 0], "outside": [0, 0]}
    for key, samples in heat.items():
        if samples < LEAST * report["samples"]:
            continue
        side = total["outside" if key in files_outside else "inside"]
        side[0] += placed[key].get(node, 0)
        side[1] += sum(placed[key].values())
    json.dump({"node": node, **{
        side: {"local_pages": local, "pages": every,
               "local_share": local / every if every else None}
        for side, (local, every) in total.items()}}, sys.stdout, indent=2)


main()
