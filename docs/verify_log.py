"""Verifies a log of Loquet with nothing but Python's standard library. No code of Loquet is used.

Usage: python3 verify_log.py PUBLIC_KEY LOG.DB CHECKPOINTS.JSONL [LEVEL-0]

PUBLIC_KEY is what `loquet audit key` printed. CHECKPOINTS.JSONL is the file in the directory `proof`, or a copy that was
kept elsewhere. LEVEL-0 is the file of that name beside it: with it, each event that was changed is named.
Formats: docs/audit.md, RFC 6962 (2.1), RFC 8032 (5.1.7), C2SP signed-note and tlog-checkpoint.
"""

import base64
import hashlib
import json
import sqlite3
import sys

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(p, q):  # Two points of the curve in extended coordinates (RFC 8032, 5.1.4).
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def point_of(data):  # RFC 8032, 5.1.3.
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or y >= P:
        raise ValueError("not a point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def has_signed(key, message, signature):
    base = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    r, s = point_of(signature[:32]), int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    left, right = multiply(s, base), add(r, multiply(k, point_of(key)))
    return s < ORDER and all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1))


def checkpoint_of(note, name, key_id, key):  # The size and the root, if the key signed the note.
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        _, signer, signed = line.split(" ")
        signed = base64.b64decode(signed)
        if signer == name and signed[:4] == key_id and has_signed(key, text.encode(), signed[4:]):
            origin, size, root = text.splitlines()[:3]
            if origin == name:
                return int(size), base64.b64decode(root)
    raise ValueError("it was not signed by the key")


def leaf_hash(position, row):
    numbers = [str(number).encode() for number in (position, row[2], row[5])]
    fields = [b"loquet/event/v1", numbers[0], row[1].encode(), numbers[1], row[3], row[4].encode(), numbers[2]]
    fields += [row[6].encode(), row[7].encode(), row[8] or b"", row[9] or b""]
    return hashlib.sha256(b"\0" + b"".join(len(field).to_bytes(4, "big") + field for field in fields)).digest()


def push(complete, size, leaf):  # Adds a leaf to a tree that is known by the roots of its complete parts.
    while size & 1:
        leaf, size = hashlib.sha256(b"\1" + complete.pop() + leaf).digest(), size >> 1
    complete.append(leaf)


def root_of(complete):
    root = complete[-1] if complete else hashlib.sha256().digest()
    for left in reversed(complete[:-1]):
        root = hashlib.sha256(b"\1" + left + root).digest()
    return root


def main(public_key, log, checkpoints, level_0=None):
    name, key_id, key = public_key.strip().split("+", 2)
    key_id, key = bytes.fromhex(key_id), base64.b64decode(key)[1:]
    found, signed = [], {}
    for number, line in enumerate(open(checkpoints), 1):
        try:
            size, root = checkpoint_of(json.loads(line)["note"], name, key_id, key)
            if signed.setdefault(size, root) != root:
                found.append(f"checkpoint {number} contradicts an earlier one")
        except ValueError as error:
            found.append(f"checkpoint {number}: {error}")
    recorded = open(level_0, "rb").read() if level_0 else b""
    tree, complete = [], []
    for size in range(len(recorded) // 32):  # The leaves beside the log are trusted as far as a checkpoint proves them.
        push(complete, size, recorded[32 * size : 32 * size + 32])
        if signed.get(size + 1) == root_of(complete):
            tree = [recorded[at : at + 32] for at in range(0, 32 * (size + 1), 32)]
    complete, size, fits = [], 0, 0
    columns = "position, stream, revision, event_id, name, version, data, metadata, subject, sealed"
    database = sqlite3.connect(f"file:{log}?mode=ro", uri=True)
    for row in database.execute(f"SELECT {columns} FROM events ORDER BY position"):
        leaf = leaf_hash(row[0], row)
        if size < len(tree) and tree[size] != leaf:
            near = range(max(0, size - 32), min(len(tree), size + 33))
            places = [row[0] + at - size for at in near if at != size and tree[at] == leaf_hash(row[0] + at - size, row)]
            shifted = [at for at in near if at != size and tree[at] == leaf]
            where = f"was recorded at position {places[0]}" if places else "was altered, or another one was recorded there"
            where = f"was recorded as event {shifted[0] + 1}: events before it were removed or inserted" if shifted else where
            found.append(f"position {row[0]}: the event there ({row[4]} of {row[1]}) {where}")
        push(complete, size, leaf)
        size += 1
        if size in signed and signed[size] == root_of(complete):
            fits = size
        elif size in signed and size > len(tree):
            found.append(f"among the events {fits + 1} to {size} at least one was changed, removed, inserted or moved")
    if signed and size < max(signed):
        found.append(f"the log has {size} events, but {max(signed)} were signed: events were removed from its end")
    print("\n".join(found) or f"The log is the one that was signed: {max(signed, default=0)} events, {len(signed)} checkpoints.")
    return 1 if found or not signed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
