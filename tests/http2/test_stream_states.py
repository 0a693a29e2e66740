"""The parts of the h2 library that are used, tested against its client."""

import h2.config
import h2.connection
import h2.events

from corsproxy.http2.stream_states import STREAM_WINDOW, StreamStates
from tests.http2.frames import SETTINGS, block, frames_of


def test_the_librarys_client_understands_it() -> None:
    client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    client.initiate_connection()
    client.data_to_send()
    states = StreamStates()
    states.receive(SETTINGS)
    client.receive_data(states.take_output())
    client.send_headers(1, [(":method", "GET"), (":authority", "a"), (":scheme", "https"),
                            (":path", "/")], end_stream=True)  # fmt: skip
    states.begin(1, has_ended=True)
    states.send_head(1, block([(b":status", b"200")]), is_all=False)
    assert states.window(1) == 65_535
    states.send_content(1, bytes(40_000), is_all=True)
    events = client.receive_data(states.take_output())
    assert sum(len(each.data or b"") for each in events
               if isinstance(each, h2.events.DataReceived)) == 40_000  # fmt: skip
    assert any(isinstance(each, h2.events.StreamEnded) for each in events)
    assert client.remote_settings.initial_window_size == STREAM_WINDOW


def test_content_is_cut_into_frames_that_the_client_takes() -> None:
    states = StreamStates()
    states.receive(SETTINGS)
    states.begin(1, has_ended=True)
    states.send_head(1, block([(b":status", b"200")]), is_all=False)
    states.take_output()
    states.send_content(1, bytes(16_385), is_all=False)
    assert [len(each.payload) for each in frames_of(states.take_output())] == [16_384, 1]
