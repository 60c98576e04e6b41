"""Checks signatures.json with Python's own hmac, along the sample code that the platforms publish.

python3 check.py [FILE]: answers 0 when every vector holds, else 1 and what differs.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys


def mac(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.new(key, text, digestmod=hashlib.sha256).digest()).decode()


def webhook(v):
    key = v["key"].removeprefix("whsec_")
    return "v1," + mac(base64.b64decode(key), f"{v['id']}.{v['timestamp']}.{v['payload']}".encode())


def dingtalk(v):
    string_to_sign = "{}\n{}".format(v["timestamp"], v["key"])
    return mac(v["key"].encode(), string_to_sign.encode())


def feishu(v):
    string_to_sign = "{}\n{}".format(v["timestamp"], v["key"])
    return mac(string_to_sign.encode(), b"")


def plain(v):
    return mac(v["key"].encode(), v["payload"].encode())


schemes = {"webhook": webhook, "dingtalk": dingtalk, "feishu": feishu, "mac": plain}


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("signatures.json")
    vectors = json.loads(pathlib.Path(path).read_text())["vectors"]
    wrong = 0
    for v in vectors:
        got = schemes[v["scheme"]](v)
        if got != v["signature"]:
            print(f"{v['name']}: {got}, want {v['signature']}")
            wrong += 1
    print(f"{len(vectors) - wrong} of {len(vectors)} hold")
    return 1 if wrong or not vectors else 0


sys.exit(main())
