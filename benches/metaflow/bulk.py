"""One large artifact, written by a step and read by the next."""
import os
import time

from metaflow import FlowSpec, Parameter, step

MIB = 1 << 20


class Bulk(FlowSpec):
    kind = Parameter("kind", default="text")
    mib = Parameter("mib", default=256)

    @step
    def start(self):
        if self.kind == "random":
            self.bulk = os.urandom(self.mib * MIB)
        else:
            self.bulk = text(self.mib * MIB)
        self.made_at = time.time()
        self.next(self.read)

    @step
    def read(self):
        begin = time.time()
        # An artifact is loaded when it is touched.
        size = len(self.bulk)
        self.read_in = time.time() - begin
        assert size == self.mib * MIB
        # What was loaded is not stored again.
        self.next(self.end)

    @step
    def end(self):
        pass


def text(size):
    state, mask, lines, have = 7, (1 << 64) - 1, [], 0
    piece_size = 4 * MIB
    while have < piece_size:
        state ^= (state << 13) & mask
        state ^= state >> 7
        state ^= (state << 17) & mask
        line = f"INFO request handled user={state % 9973} path=/api/v1/items status=200 ms={state >> 52}\n"
        lines.append(line)
        have += len(line)
    piece = "".join(lines).encode()[:piece_size]
    # As in the other flow, each MiB begins with its number; the last piece may be cut.
    count = -(-size // MIB)
    pieces = []
    for i in range(count):
        at = (i % 4) * MIB
        pieces.append(i.to_bytes(4, "little") + piece[at + 4 : at + MIB])
    return b"".join(pieces)[:size]


if __name__ == "__main__":
    Bulk()
