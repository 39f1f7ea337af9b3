# SPDX-License-Identifier: GPL-2.0-only
"""guest.py - QEMU guests under KVM, and how they are told what to do.

What they boot is made by "make guests", or is in NUMASHARE_GUESTS; see the
folder's make and init-disk.
"""
import json
import os
import re
import select
import socket
import subprocess
import time

BUILT = os.environ.get("NUMASHARE_GUESTS") or os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__)))), "build/guests")
# Clusters of which a piece of 4 KiB can be written alone: else QEMU copies the
# rest of a cluster from the image, which is then shared no more.
OVERLAY = "extended_l2=on,cluster_size=128k"
SUM_FILES = "find files -type f | sort | xargs md5sum"
TURN_FILES = ("while read -r f; do"
              " tr a-zA-Z n-za-mN-ZA-M <$f >/tmp/t &&"
              " dd if=/tmp/t of=$f conv=notrunc 2>/dev/null || break;"
              " done </turn")
FORGET = "sync; echo 3 >/proc/sys/vm/drop_caches"


class GuestError(Exception):
    """A guest did not do what it was told."""


def emulated():
    return "QEMU TCG" in open("/proc/cpuinfo").read()


def affinity():
    """Options before QEMU: the emulator that this runs on, QEMU's TCG, executes
    guests wrongly when two CPUs do it at once."""
    if not emulated():
        return []
    return ["taskset", "-c", str(max(os.sched_getaffinity(0)))]


def built(name):
    return open(os.path.join(BUILT, name)).read()


def overlay(path, image):
    """Make a private overlay of an image; how QEMU names it."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", OVERLAY,
                    "-F", "raw", "-b", image, path], check=True)
    return f"file={path},format=qcow2,if=virtio"


def ram_file(path, size, share="off"):
    """Options of -object for memory of @size MiB that is a file of ram/."""
    return f"memory-backend-file,size={size}M,share={share},mem-path={path}"


class Guest:
    """A guest.  It is started at once; up() says when it listens."""

    def __init__(self, name, work, drives, ram, size=192, more=()):
        """@drives: options of -drive; @ram: of -object, of @size MiB; @more: of
        the command"""
        self.name = name
        self.console = os.path.join(work, name + ".console")
        port = os.path.join(work, name + ".socket")
        self.monitor = os.path.join(work, name + ".qmp")
        self.command = affinity() + [
            "qemu-system-x86_64", "-accel", "kvm", "-cpu", "host",
            "-machine", "q35,memory-backend=ram", "-smp", "1",
            "-m", f"{size}M", "-object", ram + ",id=ram",
            "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", os.path.join(BUILT, "vmlinuz"),
            "-initrd", os.path.join(BUILT, "initrd"), "-append",
            "console=ttyS0 quiet panic=-1 no_timer_check",
            "-serial", "file:" + self.console,
            "-device", "virtio-serial-pci",
            "-qmp", f"unix:{self.monitor},server=on,wait=off",
            "-chardev", f"socket,id=job,path={port},server=on,wait=off",
            "-device", "virtserialport,name=job,chardev=job"]
        for drive in drives:
            self.command += ["-drive", drive]
        self.command += more
        log = open(os.path.join(work, name + ".qemu"), "w")
        self.log = log.name
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.said = b""
        self.busy = True
        self.socket = self._connect(port)

    @property
    def pid(self):
        return self.process.pid

    def _connect(self, port):
        for _ in range(300):
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(port)
                return s
            except OSError:
                s.close()
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self._fail("QEMU did not start")

    def _fail(self, why):
        lines = []
        for path in (self.log, self.console):
            try:
                text = open(path, errors="replace").read()
            except OSError:
                continue
            lines += text.replace("\r", "").splitlines()[-12:]
        raise GuestError("\n".join([f"{self.name}: {why}"] + lines))

    def say(self, line):
        """Tell it a line of shell; answers() gets what comes of it."""
        self.said = b""
        self.busy = True
        try:
            self.socket.sendall(line.encode() + b"\n")
        except OSError as e:
            self._fail(str(e))

    def receive(self):
        """Take what it says; it is busy until it has said the status."""
        try:
            got = self.socket.recv(65536)
        except OSError:
            got = b""
        if not got:
            self._fail("it is gone")
        self.said += got
        end = re.search(rb"(?:^|\n)@@ (\d+)\n$", self.said)
        if end:
            self.said = self.said[:end.start() + 1]
            self.busy = False
            if end.group(1) != b"0":
                self._fail(f"status {int(end.group(1))}: "
                           + self.said[-300:].decode(errors="replace"))

    def qmp(self, command, **arguments):
        """Tell QEMU a command of its own; what it returns."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(self.monitor)
            lines = s.makefile("rw")
            lines.readline()
            for name, more in (("qmp_capabilities", {}), (command, arguments)):
                lines.write(json.dumps({"execute": name, "arguments": more}))
                lines.flush()
                said = json.loads(lines.readline())
                while "event" in said:
                    said = json.loads(lines.readline())
                if "error" in said:
                    self._fail(f"{name}: {said['error']['desc']}")
        return said["return"]

    def text(self):
        return self.said.lstrip(b"\n").decode(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.socket.close()

    def end(self, seconds=60):
        """Let it end by itself."""
        self.socket.close()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._fail("it does not end")


def answers(guests, seconds, meanwhile=lambda: None):
    """What each of @guests says to its last line."""
    end = time.monotonic() + seconds
    while any(g.busy for g in guests):
        if time.monotonic() > end:
            late = next(g for g in guests if g.busy)
            late._fail(f"no answer in {seconds} s")
        ready, _, _ = select.select([g.socket for g in guests if g.busy],
                                    [], [], 1)
        for g in guests:
            if g.socket in ready:
                g.receive()
        meanwhile()
    return [g.text() for g in guests]


def tell(guests, line, seconds=180, meanwhile=lambda: None):
    """Tell all of them a line, and wait for what they say to it."""
    for g in guests:
        g.say(line)
    return answers(guests, seconds, meanwhile)
