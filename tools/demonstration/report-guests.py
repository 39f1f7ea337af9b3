#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""report-guests.py FOLDER - what the guests' run found: table, JSON, picture."""
import json
import os
import re
import subprocess
import sys

OUT = sys.argv[1]
RUNS = os.path.join(OUT, "runs")


def mib(pages):
    return pages / 256


def kernel():
    for line in open(os.path.join(OUT, "guests.dmesg"), errors="replace"):
        found = re.search(r"Linux version (\S+)", line)
        if found:
            return found.group(1)
    return None


def held(c):
    """Pages of the host that guests map, and what else it has of the image"""
    return c["guest_frames"] + c["cache_pages"] + c["masters_unmapped"]


def at(arm, step):
    """The sample when a step was done"""
    return arm["course"][arm["steps"][step]]


def table(without, shared):
    print()
    print(f"{shared['guests']} guests with Debian's stock kernel boot from one"
          " image and read all of it; the first then\nrewrites every eighth"
          f" file of {shared['files']}.  Memory of the host for them, MiB:")
    print()
    print(f"{'':10} {'booted':>8} {'read':>8} {'rewritten':>10}"
          f"   {'available less':>18}   checksums in the guests")
    for name, arm in (("without", without), ("cowdedup", shared)):
        print(f"{name:10}" + "".join(
            f" {mib(held(at(arm, step))):{width}.1f}" for step, width in (
                ("booted", 8), ("read", 8), ("rewritten", 10))) +
            f"   {mib(arm['course'][-1]['available_less']):18.1f}"
            f"   {'right' if arm['checksums_ok'] else 'WRONG'}")
    print()
    print(f"{shared['guest_pages']} pages of guests are bound to the image, in"
          f" {shared['host_pages']} page frames of the host;\n"
          f"{shared['pages_broken']} more were bound and have been written to"
          " since.")
    copied = sum(shared["copied"].values())
    why = ", ".join(f"{n} {b}" for n, b in sorted(shared["copied"].items()))
    print(f"{shared['bytes_read']} bytes were read from the image, {copied} of"
          f" them copied ({why}).")


def plot(arms, version):
    script = [
        "set terminal pngcairo size 1000,480 noenhanced font 'sans,11'",
        f"set output '{OUT}/cowdedup.png'",
        "set title 'Memory of the host for two guests of one image, stock "
        f"{version} (nested KVM on QEMU TCG)'",
        "set yrange [0:]", "set ylabel 'MiB'", "set key bottom right",
        "set xlabel 'seconds since the guests were started'", "set grid"]
    plots = []
    for name, arm, colour in (("without", arms["without"], "#999999"),
                              ("cowdedup", arms["cowdedup"], "#0072b2")):
        path = os.path.join(RUNS, f"guests.{name}.dat")
        with open(path, "w") as f:
            for c in arm["course"]:
                print(c["t"], mib(held(c)), mib(c["available_less"]), file=f)
        plots.append(f"'{path}' using 1:2 with lines lw 3 lc rgb '{colour}' "
                     f"title '{name}: page frames of the guests, and of the "
                     "image in the page cache'")
        plots.append(f"'{path}' using 1:3 with lines lw 1 dt 2 lc rgb "
                     f"'{colour}' title '{name}: available less'")
    subprocess.run(["gnuplot"], text=True, check=True,
                   input="\n".join(script + ["plot " + ", ".join(plots)]))


def main():
    arms = json.load(open(os.path.join(RUNS, "cowdedup.json")))
    without, shared = arms["without"], arms["cowdedup"]
    # the other part of the demo keeps its key in the same file
    path = os.path.join(OUT, "report.json")
    try:
        report = json.load(open(path))
    except (OSError, ValueError):
        report = {}
    report["cowdedup"] = {
        **shared, "kernel": kernel(), "without": without,
        "checksums_ok": shared["checksums_ok"] and without["checksums_ok"]}
    with open(path + ".tmp", "w") as f:
        json.dump(report, f, indent=2)
    os.rename(path + ".tmp", path)
    plot(arms, kernel())
    table(without, shared)
    print(f"report: {path}\npicture: {OUT}/cowdedup.png")
    wrong = [what for what, bad in (
        ("checksums are wrong", not report["cowdedup"]["checksums_ok"]),
        ("nothing is shared",
         shared["guest_pages"] < 1.5 * shared["host_pages"])) if bad]
    if wrong:
        print("FAILED:", "; ".join(wrong))
        sys.exit(1)


main()
