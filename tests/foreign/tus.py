"""The flows of tuspy: tus.py ENDPOINT FILES"""

import os
import sys

from tusclient import client

endpoint, files = sys.argv[1:]
tus = client.TusClient(endpoint)


def uploader(name, target, **more):
    return tus.uploader(
        os.path.join(files, name), metadata={"path": target}, chunk_size=512 * 1024, **more
    )


uploader("5000001.bin", "py/plain").upload()
print("plain")

first = uploader("9000000.bin", "py/resumed")
first.upload(stop_at=2_000_000)
assert 0 < first.offset < 9_000_000, first.offset
again = uploader("9000000.bin", "py/resumed", url=first.url)
assert again.offset == first.offset, (again.offset, first.offset)
again.upload()
print("resumed")

uploader("700000.bin", "py/checked", upload_checksum=True).upload()
print("with checksums")
