#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""report.py FOLDER SECONDS - put the runs together: table, JSON, picture."""
import glob
import json
import os
import re
import subprocess
import sys

OUT, TOOK = sys.argv[1], int(sys.argv[2])
RUNS = os.path.join(OUT, "runs")
# one run varies by a few points, so falling just short is said and no failure
AIM, FAILED = 0.95, 0.90
ARMS = ("nothing", "numamig", "balancing")


def load(program, arm, what):
    return json.load(open(os.path.join(RUNS, f"{program}.{arm}.{what}.json")))


def kernel():
    for line in open(os.path.join(OUT, "dmesg"), errors="replace"):
        found = re.search(r"Linux version (\S+)", line)
        if found:
            return found.group(1)
    return None


def one_arm(program, arm):
    course = load(program, arm, "course")
    before, after = (load(program, arm, w) for w in ("before", "after"))
    place = [load(program, arm, w + ".place") for w in ("before", "after")]
    return {
        "local_before": before["local_share"],
        "local_after": after["local_share"],
        "samples": course["samples"],
        "pages_moved": course["pages_moved"],
        "pages_kernel": course["pages_kernel"],
        "pages_helper": course["pages_helper"],
        "pages_failed": course["pages_failed"],
        "seconds": course["seconds"],
        "sampler_share": course["sampler_ns"] / course["cpu_ns"]
        if course["cpu_ns"] else None,
        "place_before": place[0]["inside"]["local_share"],
        "place_after": place[1]["inside"]["local_share"],
        "outside_pages": place[1]["outside"]["pages"],
        "outside_local_after": place[1]["outside"]["local_share"],
        "course": course["course"],
    }


def entry(program, version):
    arms = {a: one_arm(program, a) for a in ARMS}
    e = {"program": program, "kernel": version, "nodes": 2}
    e.update(arms["numamig"])
    e["without"] = arms["nothing"]
    e["numa_balancing"] = arms["balancing"]
    return e


def percent(v):
    return "     -" if v is None else f"{100 * v:5.1f}%"


def table(entries):
    print()
    print("Accesses of the program that go to the node of the CPU that makes "
          "them (by access),")
    print("and pages of its hot mappings that lie there (by place).")
    print()
    print(f"{'':11} {'':10} {'by access':^17} {'by place':^17}"
          f" {'pages moved by':^17}")
    print(f"{'program':11} {'with':10} {'before':>8} {'after':>8}"
          f" {'before':>8} {'after':>8} {'kernel':>8} {'helper':>8}"
          f" {'failed':>7}")
    names = {"without": "nothing", None: "numamig",
             "numa_balancing": "balancing"}
    for e in entries:
        for arm, name in names.items():
            a = e if arm is None else e[arm]
            moved = (a["pages_kernel"], a["pages_helper"],
                     a["pages_failed"]) if arm is None else ("-",) * 3
            print(f"{e['program']:11} {name:10}"
                  f" {percent(a['local_before']):>8}"
                  f" {percent(a['local_after']):>8}"
                  f" {percent(a['place_before']):>8}"
                  f" {percent(a['place_after']):>8}"
                  f" {moved[0]:>8} {moved[1]:>8} {moved[2]:>7}")
    print()
    for e in entries:
        if e["outside_pages"]:
            print(f"{e['program']}: {e['outside_pages']} pages of hot "
                  "mappings that processes outside of it map too, "
                  f"{percent(e['outside_local_after']).strip()} local "
                  "afterwards, not counted by place")


def plot(entries):
    script = [
        "set terminal pngcairo size 1100,%d noenhanced font 'sans,11'" %
        (330 * len(entries) + 40),
        f"set output '{OUT}/numamig.png'",
        f"set multiplot layout {len(entries)},1 title 'Local share of sampled "
        f"accesses, stock {entries[0]['kernel']}, two nodes (QEMU TCG: "
        "guest seconds)'",
        "set yrange [0:105]", "set ylabel 'local accesses, %'",
        "set key right center", "set grid"]
    for e in entries:
        plots = []
        for arm, name, style in (
                (None, "numamig", "lw 3 lc rgb '#0072b2'"),
                ("numa_balancing", "numa_balancing alone",
                 "lw 2 lc rgb '#e69f00'"),
                ("without", "nothing", "lw 2 lc rgb '#999999'")):
            course = (e if arm is None else e[arm])["course"]
            path = os.path.join(RUNS, f"{e['program']}.{name.split()[0]}.dat")
            with open(path, "w") as f:
                for c in course:
                    if c["local_share"] is not None:
                        print(c["t"], 100 * c["local_share"], file=f)
            plots.append(f"'{path}' using 1:2 with lines {style} "
                         f"title '{name}'")
        script += [f"set title '{e['program']}'",
                   "plot " + ", ".join(plots)]
    script.append("unset multiplot")
    subprocess.run(["gnuplot"], input="\n".join(script), text=True,
                   check=True)


def main():
    programs = [os.path.basename(p).split(".")[0] for p in
                sorted(glob.glob(os.path.join(RUNS, "*.numamig.course.json")),
                       key=os.path.getmtime)]
    entries = [entry(p, kernel()) for p in programs]
    # other parts of the project keep their keys in the same file
    path = os.path.join(OUT, "report.json")
    try:
        report = json.load(open(path))
    except (OSError, ValueError):
        report = {}
    report["numamig"] = entries
    with open(path + ".tmp", "w") as f:
        json.dump(report, f, indent=2)
    os.rename(path + ".tmp", path)
    plot(entries)
    table(entries)
    print(f"report: {path}\npicture: {OUT}/numamig.png\n"
          f"took {TOOK} s")
    low = [e["program"] for e in entries if e["local_after"] < AIM]
    if low:
        print("below the aim of 95 % local afterwards:", " ".join(low))
    if any(e["local_after"] < FAILED for e in entries):
        print("FAILED: below 90 %")
        sys.exit(1)


main()
