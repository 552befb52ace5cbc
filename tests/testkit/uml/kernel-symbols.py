#!/usr/bin/env python3
"""Prints the Module.symvers of a stripped kernel without module versions: its exported symbols.

Debian ships no such file with its user-mode kernel, and a module that is built without one ends
with every symbol undefined. Usage: kernel-symbols.py KERNEL > Module.symvers
"""
import struct
import sys

SECTION_HEADER = "<IIQQQQIIQQ"
NO_BITS = 8
# Value, name and namespace, 8 bytes each.
EXPORT_BYTES = 24

image = open(sys.argv[1], "rb").read()
(table,) = struct.unpack_from("<Q", image, 0x28)
size, count, names_index = struct.unpack_from("<HHH", image, 0x3A)
sections = [struct.unpack_from(SECTION_HEADER, image, table + i * size) for i in range(count)]
names = sections[names_index][4]


def text(offset):
    return image[offset : image.index(b"\0", offset)].decode()


def file_offset(address):
    for section in sections:
        start, offset, length = section[3], section[4], section[5]
        if start and start <= address < start + length and section[1] != NO_BITS:
            return address - start + offset
    sys.exit(f"address {address:#x} lies in no section")


by_name = {text(names + section[0]): section for section in sections}
for name, kind in (("__ksymtab", "EXPORT_SYMBOL"), ("__ksymtab_gpl", "EXPORT_SYMBOL_GPL")):
    start, length = by_name[name][4], by_name[name][5]
    for entry in range(start, start + length, EXPORT_BYTES):
        _, symbol, namespace = struct.unpack_from("<QQQ", image, entry)
        space = text(file_offset(namespace)) if namespace else ""
        print(f"0x00000000\t{text(file_offset(symbol))}\tvmlinux\t{kind}\t{space}")
