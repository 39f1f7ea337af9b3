# SPDX-License-Identifier: GPL-2.0-only
"""frames.py - page frames behind guests' memory, as /proc/PID/pagemap has it.

Not from the module: it says only which pages of a ram file are bound, and what
is there now is seen from outside.
"""
import array
import ctypes
import fcntl
import os

PAGE = 4096
PRESENT, SWAPPED, SHARED = 1 << 63, 1 << 62, 1 << 61
FRAME = (1 << 55) - 1
EXTENTS = 0xb881
MOST = 4096


class Extent(ctypes.Structure):
    """struct cowdedup_extent"""
    _fields_ = [("ram", ctypes.c_uint64), ("index", ctypes.c_uint64),
                ("image", ctypes.c_uint64), ("pages", ctypes.c_uint32),
                ("reserved", ctypes.c_uint32)]


class Extents(ctypes.Structure):
    """struct cowdedup_extents"""
    _fields_ = [("size", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("ram_fd", ctypes.c_int32), ("count", ctypes.c_uint32),
                ("next", ctypes.c_uint64), ("extents", ctypes.c_uint64)]


def mappings(pid):
    """(start, end, name) of each"""
    for line in open(f"/proc/{pid}/maps"):
        where, *more = line.rstrip("\n").split(None, 5)
        start, end = (int(a, 16) for a in where.split("-"))
        yield start, end, more[4] if len(more) > 4 else ""


def memory(pid, name, size):
    """/proc/PID/pagemap of the mapping of @size bytes whose name ends so; None
    is for memory that has no name"""
    at = []
    for start, end, its in mappings(pid):
        if its.endswith(name) if name else not its and end - start == size:
            at += [start, end]
    if not at or max(at) - min(at) < size:
        raise LookupError(f"{pid} does not map {size} bytes of {name}")
    entries = array.array("Q")
    with open(f"/proc/{pid}/pagemap", "rb", 0) as f:
        entries.frombytes(os.pread(f.fileno(), size // PAGE * 8,
                                   min(at) // PAGE * 8))
    return entries


def frames(entries, also=0):
    """The frames that are mapped there, of entries with the bits @also."""
    bits = PRESENT | also
    return {e & FRAME for e in entries if e & bits == bits}


def extents(path):
    """What is bound in a ram file: (page, page of the image, pages)."""
    found = []
    room = (Extent * MOST)()
    device = os.open("/dev/cowdedup", os.O_RDWR | os.O_CLOEXEC)
    ram = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    ask = Extents(ctypes.sizeof(Extents), 0, ram, MOST, 0,
                  ctypes.addressof(room))
    try:
        while ask.next != 2 ** 64 - 1:
            ask.count = MOST
            fcntl.ioctl(device, EXTENTS, ask, True)
            found += [(x.ram, x.index, x.pages) for x in room[:ask.count]]
    finally:
        os.close(ram)
        os.close(device)
    return found


class Bound:
    """Pages of a guest that are bound.

    shared: {page: (page of the image, frame)}; broken: how many it has written
    to since; unseen: how many are not in the page table.
    """

    def __init__(self, entries, bound):
        self.shared, self.broken, self.unseen = {}, 0, 0
        for ram, index, pages in bound:
            for i in range(pages):
                e = entries[ram + i]
                if e & SWAPPED or e & PRESENT and not e & SHARED:
                    self.broken += 1
                elif e & PRESENT:
                    self.shared[ram + i] = index + i, e & FRAME
                else:
                    self.unseen += 1
