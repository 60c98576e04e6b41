#!/usr/bin/env python3
"""Verifies a bundle of the trail with Python's standard library alone.

An independent second implementation: entries (by check.py), chains, replay, the Merkle log of RFC 6962, inclusion
and consistency, and the Ed25519 signatures of checkpoints (RFC 8032). Prints what was checked and everything that
is wrong; exits 0 if nothing is, 1 if something is, 2 if it is no bundle.

    python3 check_bundle.py BUNDLE.zip [KEYS [CHECKPOINT …]]

KEYS is a file with public keys, without which those in the bundle are believed; CHECKPOINT are files that somebody
kept.
"""

import base64
import datetime
import hashlib
import importlib.util
import json
import pathlib
import sys
import zipfile

_spec = importlib.util.spec_from_file_location("check", pathlib.Path(__file__).resolve().parent / "check.py")
check = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check)

# Ed25519 after RFC 8032, section 6: slow and plain.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT = pow(2, (P - 1) // 4, P)


def point_add(a, b):
    x = (a[1] - a[0]) * (b[1] - b[0]) % P
    y = (a[1] + a[0]) * (b[1] + b[0]) % P
    z, t = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = y - x, t - z, t + z, y + x
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_mul(s, a):
    q = (0, 1, 1, 0)
    while s > 0:
        if s & 1:
            q = point_add(q, a)
        a = point_add(a, a)
        s >>= 1
    return q


def recover(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT % P
    if (x * x - x2) % P:
        return None
    return P - x if (x & 1) != sign else x


def decompress(b):
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x = recover(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (recover(BASE_Y, 0), BASE_Y, 1, recover(BASE_Y, 0) * BASE_Y % P)


def signed_by(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r = decompress(public), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    one, two = point_mul(s, BASE), point_add(r, point_mul(h, a))
    return (one[0] * two[2] - two[0] * one[2]) % P == 0 and (one[1] * two[2] - two[1] * one[2]) % P == 0


# Signed notes, as golang.org/x/mod/sumdb/note has them.


def read_keys(text):
    keys = {}
    for line in text.split():
        name, number, key = line.split("+", 2)
        raw = base64.b64decode(key, validate=True)
        want = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        if raw[0] != 1 or want.hex() != number:
            raise ValueError("not a public key: " + line)
        keys[name, want] = raw[1:]
    return keys


def open_note(note, keys):
    """Returns log, size, root and time of a checkpoint that one of the keys signed."""
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    good = False
    for line in signatures.splitlines():
        dash, name, value = line.split(" ")
        raw = base64.b64decode(value, validate=True)
        if base64.b64encode(raw).decode() != value or dash != "—":
            raise ValueError("malformed signature")
        key = keys.get((name, raw[:4]))
        if key is not None:
            if not signed_by(key, text.encode(), raw[4:]):
                raise ValueError("wrong signature")
            good = True
    if not good:
        raise ValueError("signed by no known key")
    origin, size, root, when, end = text.split("\n")
    if not origin.startswith("bihuan/") or not when.startswith("time ") or end:
        raise ValueError("not a checkpoint")
    return origin[len("bihuan/") :], int(size), base64.b64decode(root, validate=True), when[5:]


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


# RFC 6962, section 2.1.


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(n):
    """Returns the largest power of two below n."""
    return 1 << ((n - 1).bit_length() - 1)


class Tree:
    """The right edge of a log."""

    def __init__(self):
        self.size, self.edge = 0, []

    def add(self, leaf):
        n = self.size
        while n & 1:
            leaf, n = node(self.edge.pop(), leaf), n >> 1
        self.edge.append(leaf)
        self.size += 1

    def root(self):
        if not self.edge:
            return hashlib.sha256(b"").digest()
        root = self.edge[-1]
        for left in reversed(self.edge[:-1]):
            root = node(left, root)
        return root


def root_of(proof, index, size, leaf):
    """Returns the root that an inclusion proof leads to."""
    if size == 1:
        if proof:
            raise ValueError("proof too long")
        return leaf
    if not proof:
        raise ValueError("proof too short")
    k = split(size)
    if index < k:
        return node(root_of(proof[:-1], index, k, leaf), proof[-1])
    return node(proof[-1], root_of(proof[:-1], index - k, size - k, leaf))


def roots_of(proof, old, size, whole, old_root):
    """Returns the old and the new root that a consistency proof leads to."""
    if old == size:
        if whole:
            if proof:
                raise ValueError("proof too long")
            return old_root, old_root
        if len(proof) != 1:
            raise ValueError("proof of another length")
        return proof[0], proof[0]
    if not proof:
        raise ValueError("proof too short")
    k = split(size)
    if old <= k:
        a, b = roots_of(proof[:-1], old, k, whole, old_root)
        return a, node(b, proof[-1])
    a, b = roots_of(proof[:-1], old - k, size - k, False, old_root)
    return node(proof[-1], a), node(proof[-1], b)


def vectors(path):
    """Recomputes log.json."""
    v = check.load(pathlib.Path(path).read_text(encoding="utf-8"))
    wrong = []
    tree = Tree()
    roots = {0: tree.root()}
    leaves = []
    for text in v["entries"]:
        leaves.append(bytes.fromhex(check.hash_entry(text)))
        tree.add(leaves[-1])
        roots[tree.size] = tree.root()
    for r in v["roots"]:
        if roots[r["size"]].hex() != r["root"]:
            wrong.append(f"root at {r['size']}: computed {roots[r['size']].hex()}, the file has {r['root']}")
    for p in v["inclusion"]:
        got = root_of([bytes.fromhex(h) for h in p["proof"]], p["index"], p["size"], leaves[p["index"]])
        if got != roots[p["size"]]:
            wrong.append(f"inclusion of {p['index']} in {p['size']}: computed {got.hex()}")
    for p in v["consistency"]:
        got = roots_of([bytes.fromhex(h) for h in p["proof"]], p["old"], p["size"], True, roots[p["old"]])
        if got != (roots[p["old"]], roots[p["size"]]):
            wrong.append(f"consistency of {p['old']} and {p['size']}: computed {got[0].hex()} and {got[1].hex()}")
    log, size, root, _ = open_note(v["checkpoint"], read_keys(v["key"]))
    if (log, size, root) != (v["log"], len(leaves), roots[len(leaves)]):
        wrong.append(f"checkpoint: computed {log} {size} {root.hex()}")
    return wrong, f"{len(leaves)} entries, {len(v['roots'])} roots, {len(v['inclusion'])} + {len(v['consistency'])} proofs, 1 note"


# Kinds of subjects with a row of their own; a bundle of format 1 has those of the first six alone.
STANDING = ("project", "unit", "user", "token", "delegation", "list", "need", "sheet", "kind", "tally", "tally_year",
            "channel", "settings", "wording", "mapping")


class Bundle:
    def __init__(self, path, keys, known):
        self.zip = zipfile.ZipFile(path)
        self.names = set(self.zip.namelist())
        if len(self.names) != len(self.zip.namelist()):
            raise ValueError("a member stands twice")
        self.wrong, self.count, self.times = [], {}, []
        self.manifest = json.loads(self.text("manifest.json"))
        if self.manifest["format"] not in ("bihuan-bundle/1", "bihuan-bundle/2") or self.manifest["scope"] not in ("everything", "unit", "project"):
            raise ValueError("another format")
        self.keys = read_keys(keys if keys is not None else self.text("keys"))
        self.known = known

    def text(self, name):
        return self.zip.read(name).decode("utf-8") if name in self.names else ""

    def lines(self, name):
        text = self.text(name)
        return text.split("\n")[:-1] if text else []

    def values(self, name):
        return [check.load(line) for line in self.lines(name)]

    def note(self, what):
        self.wrong.append(what)

    def did(self, what):
        self.count[what] = self.count.get(what, 0) + 1

    def verify(self):
        self.whole = self.manifest["scope"] == "everything"
        points, signed = [], None
        for name, text in [("the checkpoint", self.text("checkpoint"))] + [(f"checkpoint {c['n']}", c["note"]) for c in self.values("checkpoints.ndjson")]:
            if not text:
                continue
            try:
                log, size, root, when = open_note(text, self.keys)
                points.append((name, size, root))
                self.times.append(moment(when))
                self.did("checkpoints")
                if name == "the checkpoint":
                    signed = (size, root)
                if log.split("/")[0] != self.manifest["log"].split("/")[0]:
                    self.note(f"{name} belongs to {log}")
            except ValueError as e:
                self.note(f"{name}: {e}")
        for name, text in self.known:
            _, size, root, when = open_note(text, self.keys)
            self.times.append(moment(when))
            points.append((name, size, root))
            if not self.whole and signed and size < signed[0]:
                proof = [c for c in self.values("consistency.ndjson") if c["size"] == size]
                try:
                    if not proof or roots_of([bytes.fromhex(h) for h in proof[0]["proof"]], size, signed[0], True, root) != (root, signed[1]):
                        self.note(f"the log does not continue {name}")
                except ValueError as e:
                    self.note(f"{name}: {e}")
        leaves = self.entries(signed)
        if not self.whole and not self.count.get("proofs"):
            self.note("no entry is proved to stand in the signed log")
        if self.whole:
            tree, ends = Tree(), {0: Tree().root()}
            for i in range(len(leaves)):
                if i not in leaves:
                    self.note(f"the place {i} is empty")
                    break
                tree.add(leaves[i])
                ends[tree.size] = tree.root() if any(p[1] == tree.size for p in points) else b""
            for name, size, root in points:
                if ends.get(size) != root:
                    self.note(f"{name}: not the root of the first {size} entries")
        for d in self.values("definitions.ndjson"):
            self.did("definitions")
            if hashlib.sha256(d["source"].encode("utf-8")).hexdigest() != d["digest"]:
                self.note(f"definition {d['workflow']} {d['version']}: another source")
        sources = {s["subject"]: s["source"] for s in self.values("sources.ndjson")}
        for subject, source in sources.items():
            self.did("sources")
            if hashlib.sha256(source.encode("utf-8")).hexdigest() != self.states.get(subject, {}).get("digest"):
                self.note(f"{subject}: another source")
        if self.whole and self.manifest["format"] != "bihuan-bundle/1":
            for subject in self.states:
                if subject.startswith("sheet/") and subject not in sources:
                    self.note(f"{subject}: its source is missing")
        for o in self.values("openings.ndjson"):
            self.did("openings")
            state = self.states.get(o["subject"], {})
            said, what = state.get("personal"), "login and name"
            if "of" in o:
                said, what = state.get("objections", {}).get(o["of"], {}).get("sealed"), f"the words of objection {o['of']}"
            if check.commit(base64.b64decode(o["salt"]), o["value"]) != said:
                self.note(f"{o['subject']}: {what} are not those that were committed to")

    def entries(self, signed):
        leaves, self.states, attached = {}, {}, {}
        stands = self.values("subjects.ndjson")
        places = self.values("places.ndjson")
        raw = self.lines("entries.ndjson")
        if len(raw) != self.manifest["entries"] or len(places) != len(raw):
            self.note(f"{len(raw)} entries and {len(places)} places, the manifest tells of {self.manifest['entries']}")
        subject, seq, prev, state, version = None, 0, "", {}, 0

        def close():
            if subject is None:
                return
            self.did("subjects")
            self.states[subject] = state
            row = stands.pop(0) if stands else {}
            if row.get("subject") != subject or row.get("seq") != seq or row.get("head") != prev:
                self.note(f"{subject}: stands otherwise than its entries say")
            if "state" not in row and self.manifest["format"] != "bihuan-bundle/1" and subject.split("/")[0] in STANDING:
                self.note(f"{subject}: the bundle does not say how it stands")
            if "state" in row:
                self.did("states")
                if row["version"] != version or check.canonical(row["state"]) != check.canonical(state):
                    self.note(f"{subject}: its state is not the fold of its entries")

        for line, place in zip(raw, places):
            self.did("entries")
            try:
                e = check.load(line)
                if check.canonical(e) != line:
                    raise ValueError("not canonical")
            except ValueError as err:
                self.note(f"entry {self.count['entries']}: {err}")
                continue
            if e["subject"] != subject:
                close()
                subject, seq, prev, state = e["subject"], 0, "", {}
            seq += 1
            if e["seq"] != seq or e["prev"] != prev:
                self.note(f"{subject} #{e['seq']}: does not continue the entry before")
            prev, version = check.hash_entry(line), e["version"]
            data = e.get("data", {})
            state = check.merge(state, data.get("set", {}))
            if isinstance(data.get("evidence"), dict):
                attached[subject, data["evidence"].get("id")] = data["evidence"]
            leaf = bytes.fromhex(prev)
            if place is None:
                self.did("unsealed")
                # Every checkpoint covers what was decided before it; five minutes are for entries on their way.
                if any(t > moment(e["at"]) + datetime.timedelta(minutes=5) for t in self.times):
                    self.note(f"{subject} #{seq}: dated before a checkpoint that does not cover it")
            elif self.whole:
                if place["index"] in leaves:
                    self.note(f"the place {place['index']} is taken twice")
                leaves[place["index"]] = leaf
            elif signed and place["index"] < signed[0]:
                try:
                    if root_of([bytes.fromhex(h) for h in place.get("proof", [])], place["index"], signed[0], leaf) != signed[1]:
                        raise ValueError("leads to another root")
                    self.did("proofs")
                except ValueError as err:
                    self.note(f"{subject} #{seq}: its proof {err}")
        close()
        if stands:
            self.note(f"{len(stands)} subjects without entries")
        for row in self.values("evidence.ndjson"):
            self.did("evidence")
            if attached.pop((row["subject"], row["row"].get("id")), None) != row["row"]:
                self.note(f"{row['subject']}: evidence {row['row'].get('id')} is not what its entry says")
        for subject, name in attached:
            self.note(f"{subject}: evidence {name} is gone")
        return leaves


def main(args):
    sys.stdout.reconfigure(errors="backslashreplace")
    if len(args) == 1 and args[0].endswith(".json"):
        wrong, checked = vectors(args[0])
    else:
        try:
            keys = pathlib.Path(args[1]).read_text() if len(args) > 1 else None
            known = [(name, pathlib.Path(name).read_text(encoding="utf-8")) for name in args[2:]]
            bundle = Bundle(args[0], keys, known)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as e:
            print(f"no bundle: {e}")
            return 2
        try:
            bundle.verify()
        except (ValueError, KeyError, TypeError) as e:
            bundle.note(f"malformed: {e}")
        wrong = bundle.wrong
        checked = ", ".join(f"{n} {what}" for what, n in bundle.count.items())
    for line in wrong:
        print(line)
    print(f"checked {checked}: {len(wrong)} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
