"""Log lines leave through a thread; no reader can block or end the process."""

import os
import threading

from corsproxy.shell.feed.outlet import Outlet


def read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb") as reader:
        return reader.read()


def test_lines_arrive_in_order() -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer)
    for number in range(100):
        outlet.write(f"{number}\n")
    outlet.close()
    os.close(writer)
    assert read_all(reader) == b"".join(b"%d\n" % number for number in range(100))


def test_lines_arrive_while_it_is_open() -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer)
    for line in (b"one\n", b"two\n"):
        outlet.write(line.decode())
        assert os.read(reader, 100) == line
    outlet.close()
    os.close(writer)
    os.close(reader)


def test_a_closed_pipe_costs_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    outlet = Outlet(writer)
    outlet.write("this is never read\n")
    outlet.close()
    outlet.write("nor this\n")
    os.close(writer)


def test_a_stalled_reader_costs_lines_that_are_counted() -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer, capacity=1000, dropped_line="{} lost\n".format)
    line = "x" * 99 + "\n"
    # More than the pipe holds: the thread stalls, and what is queued stays bounded.
    for _ in range(20_000):
        outlet.write(line)
    outlet.close(timeout=0)
    collected: list[bytes] = []
    drain = threading.Thread(target=lambda: collected.append(read_all(reader)))
    drain.start()
    outlet.close(timeout=5)
    os.close(writer)
    drain.join(5)
    lines = collected[0].decode().splitlines()
    lost = [int(text.removesuffix(" lost")) for text in lines if text.endswith(" lost")]
    assert lost
    assert len(lines) - len(lost) + sum(lost) == 20_000


def test_a_closed_descriptor_discards() -> None:
    outlet = Outlet(None)
    outlet.write("nowhere\n")
    outlet.close()


def test_unencodable_text_is_escaped() -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer)
    outlet.write("\udc80\n")
    outlet.close()
    os.close(writer)
    assert read_all(reader) == b"\\udc80\n"
