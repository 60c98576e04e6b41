#!/usr/bin/env python3
"""Recomputes vectors.json with Python's standard library alone.

An independent second implementation of the entry format: canonical bytes (RFC 8785, restricted to integers),
entry hashes (RFC 6962 leaves), the fold of merge patches (RFC 7386) and salted commitments. Prints what was
checked; exits 0 if everything agrees, 1 if anything differs.

    python3 check.py [vectors.json]
"""

import hashlib
import json
import pathlib
import sys

LIMIT = 2**53 - 1


def refuse(text):
    raise ValueError("number that is not an integer: " + text)


def integer(text):
    value = int(text)
    if abs(value) > LIMIT or text == "-0":
        raise ValueError("integer that JSON does not hold exactly: " + text)
    return value


def unique(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def load(text):
    return json.loads(text, parse_float=refuse, parse_int=integer, parse_constant=refuse, object_pairs_hook=unique)


def ordered(value):
    """Sorts the members of every object by the UTF-16 code units of their keys."""
    if isinstance(value, dict):
        return {k: ordered(value[k]) for k in sorted(value, key=lambda k: k.encode("utf-16-be"))}
    if isinstance(value, list):
        return [ordered(v) for v in value]
    return value


def canonical(value):
    return json.dumps(ordered(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def hash_entry(text):
    return hashlib.sha256(b"\x00" + text.encode("utf-8")).hexdigest()


def merge(target, patch):
    """MergePatch of RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def commit(salt, value):
    head = b"\x02" + len(salt).to_bytes(8, "big")
    return hashlib.sha256(head + salt + value.encode("utf-8")).hexdigest()


def main(path):
    vectors = load(path.read_text(encoding="utf-8"))
    wrong = []

    def same(what, got, want):
        if got != want:
            wrong.append(f"{what}: computed {got}, the file has {want}")

    for v in vectors["entries"]:
        same(v["name"] + ": bytes", canonical(v["entry"]), v["bytes"])
        same(v["name"] + ": hash", hash_entry(v["bytes"]), v["hash"])
        same(v["name"] + ": bytes read again", load(v["bytes"]), v["entry"])

    prev, state = "", {}
    for seq, row in enumerate(vectors["chain"], start=1):
        entry = dict(row["entry"], prev=prev)
        same(f"chain {seq}: seq", entry["seq"], seq)
        same(f"chain {seq}: bytes", canonical(entry), row["bytes"])
        same(f"chain {seq}: hash", hash_entry(row["bytes"]), row["hash"])
        state = merge(state, entry.get("data", {}).get("set", {}))
        same(f"chain {seq}: state", canonical(state), row["state"])
        prev = row["hash"]

    for v in vectors["patches"]:
        same(v["name"] + ": patch", canonical(merge(load(v["old"]), load(v["patch"]))), canonical(load(v["new"])))

    for v in vectors["commitments"]:
        same(v["name"] + ": digest", commit(bytes.fromhex(v["salt"]), v["value"]), v["digest"])

    sys.stdout.reconfigure(errors="backslashreplace")  # the terminal may not know Chinese
    for line in wrong:
        print(line)
    counts = ", ".join(f"{len(vectors[k])} {k}" for k in ("entries", "chain", "patches", "commitments"))
    print(f"checked {counts}: {len(wrong)} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    here = pathlib.Path(__file__).resolve().parent / "vectors.json"
    sys.exit(main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here))
