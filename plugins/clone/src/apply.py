#!/usr/bin/env python3
"""Builds a data directory out of an unpacked clone, without dbbackup.

    tar xzf BACKUP.tar.gz -C UNPACKED
    python3 UNPACKED/.dbbackup/apply.py UNPACKED TARGET

TARGET must not exist, or be empty. It becomes the data directory: start a server of the series of
the clone on it (`mysqld --datadir=TARGET`). Tablespaces from outside the data directory go to
TARGET.external-<n>/<last name of their directory>, and the options that name those directories to the server are printed.
Needs Python 3.8 or later and nothing else. The files are copied; UNPACKED stays as it is.
"""
import json
import os
import shlex
import shutil
import struct
import sys

MAGIC = b"DBBREC1\n"
HEADER = struct.Struct(">IIQ")
END = 0xFFFFFFFF
SCHEMA = "dbbackup.clone/1"
BESIDE = "non-innodb.sql"
COPY_BYTES = 1 << 20
# Ids of undo tablespaces: 400,000 for each of 127.
UNDO_SPACES = range(0xFFFFFFF0 - 127 * 400000, 0xFFFFFFF0)
NO_SPACE = 0xFFFFFFFF


class Damaged(Exception):
    """The artefact is not what was written."""


def name_of(value):
    """A path of the document: text, or {"hex": …} where it is no UTF-8."""
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value.encode()


class Places:
    """Where the members of the artefact go."""

    def __init__(self, target, document):
        self.data = target
        self.external = {}
        # A server finds a table that has moved only in a directory with the name of its schema.
        self.last_names = {}
        named = [(file["name"], file.get("member")) for file in document["files"]]
        named += [(change.get("to"), change.get("member")) for change in document["changes"]]
        for name, member in named:
            if name is not None and member is not None and name_of(name).startswith(b"/"):
                number = name_of(member).split(b"/")[1]
                self.last_names[number] = name_of(name).split(b"/")[-2]

    def path(self, member):
        parts = member.split(b"/")
        if not member or any(part in (b"", b".", b"..") for part in parts) or b"\0" in member:
            raise Damaged("the name %r is not a safe one" % member)
        if parts[0] == b"external" and len(parts) > 2:
            root = os.path.join(self.data + b".external-" + parts[1], self.last_names[parts[1]])
            self.external[parts[1]] = root
            return os.path.join(root, *parts[2:]), root
        if parts[0] != b"data" or len(parts) < 2:
            raise Damaged("the name %r has no place in a data directory" % member)
        return os.path.join(self.data, *parts[1:]), self.data


class Fate:
    """What becomes of a data file: where its bytes are meanwhile, and where in the end."""

    def __init__(self, space_id, flags, working, end, size, is_new):
        self.space_id, self.flags = space_id, flags
        self.working, self.end, self.size, self.is_new = working, end, size, is_new


def physical_bytes(flags, page_bytes):
    shift = flags >> 1 & 15
    return 512 << shift if shift else page_bytes


def fates_of(document, places, unpacked):
    fates = {}
    for file in document["files"]:
        working = None
        if file.get("member") is not None:
            member = name_of(file["member"])
            if os.path.isfile(os.path.join(unpacked, member)):
                working = places.path(member)[0]
                copy_file(os.path.join(unpacked, member), working)
        size = max(file["size_bytes"], file["final_size_bytes"])
        end = None if file.get("deleted") else working
        fates[file["index"]] = Fate(file["space_id"], file["fsp_flags"], working, end, size, False)
    for change in document["changes"]:
        follow(change, fates, places, document["page_size_bytes"])
    return fates


def follow(change, fates, places, page_bytes):
    index, kind, fate = change["index"], change["kind"], fates.get(change["index"])
    member = name_of(change["member"]) if change.get("member") is not None else None
    if kind == "create":
        if member is None or fate is not None and fate.working is not None:
            raise Damaged("file %d cannot be new" % index)
        end, root = places.path(member)
        pages = 1024 if change["space_id"] in UNDO_SPACES else 7
        size = max(change["size_bytes"], pages * physical_bytes(change["fsp_flags"], page_bytes))
        working = os.path.join(root, b".dbbackup-%d" % index)
        fates[index] = Fate(
            change["space_id"], change["fsp_flags"], working, end, size, True)
    elif kind == "delete":
        if fate is not None:
            fate.end = None
    elif fate is None:
        raise Damaged("file %d is changed and not known" % index)
    else:
        fate.size = max(fate.size, change["size_bytes"])
        if kind == "rename":
            if member is None:
                raise Damaged("file %d is renamed to nothing" % index)
            fate.end = places.path(member)[0]
        elif kind == "attributes":
            fate.flags = change["fsp_flags"]
        else:
            raise Damaged("%r is no change that this applier knows" % kind)


def copy_file(source, target):
    """Copies a file; blocks of zeros become holes."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(source, "rb") as reading, open(target, "xb") as writing:
        while True:
            block = reading.read(COPY_BYTES)
            if not block:
                break
            if block.count(0) == len(block):
                writing.seek(len(block), os.SEEK_CUR)
            else:
                writing.write(block)
        writing.truncate()


class Pieces:
    """A stream, joined from its pieces: NAME.00001.EXT, NAME.00002.EXT … or the whole NAME.EXT."""

    def __init__(self, directory, path):
        stem, extension = os.path.splitext(os.path.join(directory, path.encode()))
        self.paths = []
        while os.path.isfile(stem + b".%05d" % (len(self.paths) + 1) + extension):
            self.paths.append(stem + b".%05d" % (len(self.paths) + 1) + extension)
        if not self.paths and os.path.isfile(stem + extension):
            self.paths.append(stem + extension)
        if not self.paths:
            raise Damaged("%s is missing" % path)
        self.path, self.open = path, None

    def read(self, length, may_end=False):
        found = b""
        while len(found) < length:
            if self.open is None:
                if not self.paths:
                    break
                self.open = open(self.paths.pop(0), "rb")
            block = self.open.read(length - len(found))
            if not block:
                self.open.close()
                self.open = None
            found += block
        if len(found) < length and not may_end:
            raise Damaged("%s is cut off" % self.path)
        return found


def records(stream):
    if stream.read(len(MAGIC)) != MAGIC:
        raise Damaged("%s holds no records" % stream.path)
    count = 0
    while True:
        index, length, offset = HEADER.unpack(stream.read(HEADER.size))
        if index == END:
            if length or offset != count or stream.read(1, may_end=True):
                raise Damaged("%s has a wrong end" % stream.path)
            return
        count += 1
        yield index, offset, stream.read(length)


def apply_streams(document, fates, places, unpacked):
    redo_sizes = {file["index"]: file["size_bytes"] for file in document["redo"]}
    for stream in document["streams"]:
        count = 0
        open_path, file = None, None
        for index, offset, data in records(Pieces(os.path.join(unpacked, b".dbbackup"), stream["path"])):
            count += 1
            if stream["stage"] == "redo_copy":
                if index not in redo_sizes or offset + len(data) > redo_sizes[index]:
                    raise Damaged("%s leads out of the redo log" % stream["path"])
                path = redo_path(places, index)
            elif index not in fates:
                raise Damaged("%s names file %d, which is not known" % (stream["path"], index))
            else:
                path = fates[index].working if fates[index].end is not None else None
            if path is None:
                continue
            if path != open_path:
                if file is not None:
                    file.close()
                os.makedirs(os.path.dirname(path), exist_ok=True)
                file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
                open_path = path
            write_all(file, offset, data)
        if file is not None:
            file.close()
        if count != stream["records"]:
            raise Damaged("%s holds %d records, not %d" % (stream["path"], count, stream["records"]))


def write_all(file, offset, data):
    view = memoryview(data)
    while view:
        written = os.pwrite(file.fileno(), view, offset)
        view, offset = view[written:], offset + written


def bring_beside(target, unpacked):
    """Tables that were dumped beside the clone, for a started server to load."""
    try:
        pieces = Pieces(os.path.join(unpacked, b".dbbackup"), BESIDE)
    except Damaged:
        return None
    path = os.path.join(target, b"dbbackup-non-innodb.sql")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for piece in pieces.paths:
            with open(piece, "rb") as source:
                shutil.copyfileobj(source, file, COPY_BYTES)
    return path


def redo_path(places, index):
    return os.path.join(places.data, b"#innodb_redo", b"#ib_redo%d" % index)


def crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def first_page(fate, page_bytes, versions):
    """Page 0 of a tablespace that was made during the clone and of which no page 0 came."""
    length = physical_bytes(fate.flags, page_bytes)
    page = bytearray(length)
    page[8:16] = versions
    page[34:38] = page[38:42] = struct.pack(">I", fate.space_id)
    page[54:58] = struct.pack(">I", fate.flags)
    if not fate.flags >> 1 & 15:
        page[0:4] = page[-8:-4] = struct.pack(">I", crc32c(page[4:26]) ^ crc32c(page[38:-8]))
    else:
        total = crc32c(page[4:16]) ^ crc32c(page[24:26]) ^ crc32c(page[34:])
        page[0:4] = struct.pack(">I", total)
    return bytes(page)


def make_first_pages(fates, page_bytes):
    made = [fate for fate in fates.values() if fate.is_new and fate.end is not None]
    if not made:
        return
    versions = bytes(8)
    for fate in fates.values():
        if not fate.is_new and fate.end is not None and fate.working.endswith(b".ibd"):
            with open(fate.working, "rb") as file:
                head = file.read(16)
            if len(head) == 16:
                versions = head[8:]
                break
    for fate in made:
        os.makedirs(os.path.dirname(fate.working), exist_ok=True)
        handle = os.open(fate.working, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            if not any(file.read(64)):
                write_all(file, 0, first_page(fate, page_bytes, versions))


def give_names(fates):
    moves = []
    for number, fate in enumerate(fates.values()):
        if fate.working is None:
            continue
        if fate.end is None:
            if os.path.exists(fate.working):
                os.remove(fate.working)
        elif fate.is_new:
            moves.append((fate.working, fate.end))
        elif fate.end != fate.working:
            between = os.path.join(os.path.dirname(fate.working), b".dbbackup-move-%d" % number)
            os.rename(fate.working, between)
            moves.append((between, fate.end))
    for between, end in moves:
        os.makedirs(os.path.dirname(end), exist_ok=True)
        if os.path.lexists(end):
            raise Damaged("%s would be there twice" % os.fsdecode(end))
        os.rename(between, end)


def give_sizes(fates, document, places):
    page_bytes = document["page_size_bytes"]
    for fate in fates.values():
        if fate.end is None:
            continue
        found = os.path.getsize(fate.end)
        size = max(found, fate.size)
        extent = max(1 << 20, 64 * physical_bytes(fate.flags, page_bytes))
        if fate.space_id not in (0, NO_SPACE) and size > extent:
            size = (size + extent - 1) // extent * extent
        if size > found:
            os.truncate(fate.end, size)
    os.makedirs(os.path.join(places.data, b"#innodb_redo"), exist_ok=True)
    for redo in document["redo"]:
        path = redo_path(places, redo["index"])
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        os.truncate(path, redo["size_bytes"])


def touch(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").close()


def sync(tree):
    for directory, _, files in os.walk(tree):
        for path in [os.path.join(directory, name) for name in files] + [directory]:
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def build(unpacked, target):
    with open(os.path.join(unpacked, b".dbbackup", b"clone.json"), encoding="utf-8") as file:
        document = json.load(file)
    if document.get("schema") != SCHEMA:
        raise Damaged("clone.json is %r, this applier knows %s" % (document.get("schema"), SCHEMA))
    if os.path.exists(target) and os.listdir(target):
        raise Damaged("%s is not empty" % os.fsdecode(target))
    os.makedirs(target, mode=0o700, exist_ok=True)
    places = Places(target, document)
    marker = os.path.join(target, b"#clone", b"#status_in_progress")
    touch(marker)
    fates = fates_of(document, places, unpacked)
    apply_streams(document, fates, places, unpacked)
    make_first_pages(fates, document["page_size_bytes"])
    give_names(fates)
    give_sizes(fates, document, places)
    os.makedirs(os.path.join(target, b"mysql"), exist_ok=True)
    touch(os.path.join(target, b"#clone", b"#status_fix"))
    touch(os.path.join(target, b"#clone", b"#replace_files"))
    beside = bring_beside(target, unpacked)
    for tree in [target, *places.external.values()]:
        sync(tree)
    os.remove(marker)
    sync(os.path.dirname(marker))
    return document, places, beside


def options_of(document, places):
    options = ["--datadir=" + os.fsdecode(places.data)]
    if document["page_size_bytes"] != 16384:
        options.append("--innodb-page-size=%d" % document["page_size_bytes"])
    if places.external:
        directories = sorted(os.fsdecode(path) for path in places.external.values())
        options.append("--innodb-directories=" + ";".join(directories))
    return options


def main(arguments):
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    unpacked, target = (arguments[0], arguments[1]) if len(arguments) == 2 else (here, arguments[0])
    try:
        document, places, beside = build(os.fsencode(os.path.abspath(unpacked)), os.fsencode(os.path.abspath(target)))
    except (Damaged, OSError, KeyError, ValueError) as error:
        print("error: %s" % error, file=sys.stderr)
        return 1
    version = document["donor"]["configs"].get("version", "the same series")
    print("done: start a MySQL server of the series of %s with" % version)
    print("  mysqld " + " ".join(options_of(document, places)))
    if beside is not None:
        print("then load the tables of other storage engines than InnoDB, which are empty until then:")
        print("  mysql --user=root < " + shlex.quote(os.fsdecode(beside)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
