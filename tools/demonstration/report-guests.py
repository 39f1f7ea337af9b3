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
NAMES = {"without": "without", "cowdedup": "cowdedup", "ksm": "KSM tuned",
         "ksm_default": "KSM default", "cowdedup_ksm": "cowdedup and KSM tuned"}
COLOURS = {"without": "#999999", "cowdedup": "#0072b2", "ksm": "#d55e00",
           "ksm_default": "#e69f00", "cowdedup_ksm": "#009e73"}


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


def time_to_read(arm, without):
    """How long it took until both had read the image, as a part of @without:
    seconds of an emulated machine say nothing"""
    return round(at(arm, "read")["t"] / at(without, "read")["t"], 3)


def line(name, arm, without):
    print(f"{NAMES[name]:22}" + "".join(
        f" {mib(held(at(arm, step))):{width}.1f}" for step, width in (
            ("booted", 8), ("read", 8), ("rewritten", 10))) +
        f"   {mib(at(arm, 'rewritten')['available_less']):14.1f}"
        f"   {time_to_read(arm, without):12.2f}"
        f"   {'right' if arm['checksums_ok'] else 'WRONG'}")


def scanned(arms):
    return [name for name, arm in arms.items() if "pages_to_scan" in arm]


def passes(name, arm):
    """Of KSM: by passes, for how soon they come depends on the machine"""
    print(f"{NAMES[name]}: {arm['pages_to_scan']} pages every"
          f" {arm['sleep_millisecs']} ms, since the QEMUs were started")
    for step in ("booted", "read", "converged"):
        c = at(arm, step)
        print(f"  {step:9} {c['full_scans']:5} passes,"
              f" {c['ksmd_ns'] / 1e9:5.1f} s of a CPU:"
              f" {mib(held(c)):6.1f} MiB, {c['pages_sharing']} pages saved" +
              ("" if step != "converged" or arm["converged"] else
               " (time was over)"))


def table(arms):
    without, shared = arms["without"], arms["cowdedup"]
    print()
    print(f"{shared['guests']} guests with Debian's stock kernel boot from one"
          " image and read all of it; the first then\nrewrites every eighth"
          f" file of {shared['files']}.  Memory of the host for them, MiB, and"
          " how long it took until\nboth had read the image, beside the first"
          " line:")
    print()
    print(f"{'':22} {'booted':>8} {'read':>8} {'rewritten':>10}"
          f"   {'available less':>14}   {'time to read':>12}   checksums")
    for name, arm in arms.items():
        line(name, arm, without)
    print()
    for name in scanned(arms):
        passes(name, arms[name])
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
        "set yrange [0:]", "set ylabel 'MiB'",
        "set key " + ("below" if scanned(arms) else "bottom right"),
        "set xlabel 'seconds since the guests were started'", "set grid"]
    plots = []
    for name, arm in arms.items():
        path = os.path.join(RUNS, f"guests.{name}.dat")
        with open(path, "w") as f:
            for c in arm["course"]:
                print(c["t"], mib(held(c)), mib(c["available_less"]), file=f)
        style = f"lc rgb '{COLOURS[name]}' title '{NAMES[name]}: "
        plots.append(f"'{path}' using 1:2 with lines lw 3 {style}page frames "
                     "of the guests, and of the image in the page cache'")
        # without KSM, in which it is no more to see
        if "pages_to_scan" not in arm:
            plots.append(f"'{path}' using 1:3 with lines lw 1 dt 2 {style}"
                         "available less'")
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
        **shared, "kernel": kernel(),
        **{name: arm for name, arm in arms.items() if arm is not shared},
        "time_to_read_vs_plain": {name: time_to_read(arm, without)
                                  for name, arm in arms.items()},
        "checksums_ok": all(arm["checksums_ok"] for arm in arms.values())}
    with open(path + ".tmp", "w") as f:
        json.dump(report, f, indent=2)
    os.rename(path + ".tmp", path)
    plot(arms, kernel())
    table(arms)
    print(f"report: {path}\npicture: {OUT}/cowdedup.png")
    wrong = [what for what, bad in (
        ("checksums are wrong", not report["cowdedup"]["checksums_ok"]),
        ("nothing is shared",
         shared["guest_pages"] < 1.5 * shared["host_pages"]),
        ("KSM has merged nothing", not all(
            at(arms[n], "converged")["pages_sharing"]
            for n in scanned(arms)))) if bad]
    if wrong:
        print("FAILED:", "; ".join(wrong))
        sys.exit(1)


main()
