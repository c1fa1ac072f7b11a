"""Holds the server of the tests against kurrentdbclient, which nobody of this project wrote.

usage: client.py CONNECTION_STRING PREFIX [ca-file]
Each line that it prints is a step that went as the client's documentation says.
"""

import sys
import uuid

from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.events import CaughtUp, Checkpoint
from kurrentdbclient.exceptions import NotFoundError, StreamIsDeletedError, WrongCurrentVersionError

url, prefix = sys.argv[1:3]
authority = open(sys.argv[3], "rb").read() if len(sys.argv) > 3 else None
client = KurrentDBClient(uri=url, root_certificates=authority)


def done(step):
    print(step, flush=True)


def event(n, kind="happened"):
    return NewEvent(id=uuid.UUID(int=n), type=kind, data=b'{"n": %d,  "text": "\xc3\xa9"}' % n, metadata=b'{"by": "python"}')


def refused(error, call):
    try:
        call()
    except error:
        return
    raise AssertionError(f"{error.__name__} was expected")


stream = prefix + "one"
first = client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=[event(1), event(2)])
third = client.append_to_stream(stream, current_version=1, events=event(3))
assert third > first
done("append")

refused(WrongCurrentVersionError, lambda: client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=event(9)))
refused(WrongCurrentVersionError, lambda: client.append_to_stream(stream, current_version=1, events=event(9)))
refused(WrongCurrentVersionError, lambda: client.append_to_stream(stream, current_version=7, events=event(9)))
refused(WrongCurrentVersionError, lambda: client.append_to_stream(prefix + "none", current_version=0, events=event(9)))
refused(WrongCurrentVersionError, lambda: client.append_to_stream(stream, current_version=1, events=[event(3), event(9)]))
done("conflict")

assert client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=[event(1), event(2)]) == first
assert client.append_to_stream(stream, current_version=1, events=event(3)) == third
assert client.append_to_stream(stream, current_version=StreamState.ANY, events=event(3)) == third
assert len(client.get_stream(stream)) == 3
done("repeat")

second = prefix + "two"
client.append_event(second, current_version=StreamState.NO_STREAM, event=event(21))
client.append_events(second, current_version=0, events=[event(22), event(23)])
refused(WrongCurrentVersionError, lambda: client.append_events(second, current_version=0, events=[event(29)]))
done("single events")

events = client.get_stream(stream)
assert [e.id.int for e in events] == [1, 2, 3]
assert [e.stream_position for e in events] == [0, 1, 2]
assert [e.data for e in events] == [event(n).data for n in (1, 2, 3)]
assert all(e.metadata == b'{"by": "python"}' and e.content_type == "application/json" for e in events)
assert [e.id.int for e in client.get_stream(stream, stream_position=1)] == [2, 3]
assert [e.id.int for e in client.get_stream(stream, stream_position=1, backwards=True)] == [2, 1]
assert [e.id.int for e in client.get_stream(stream, limit=1, backwards=True)] == [3]
assert client.get_current_version(stream) == 2
refused(NotFoundError, lambda: client.get_stream(prefix + "none"))
done("read a stream")

mine = dict(filter_include=[prefix + ".*"], filter_by_stream_name=True)
log = list(client.read_all(**mine))
assert [e.id.int for e in log] == [1, 2, 3, 21, 22, 23]
positions = [e.commit_position for e in log]
assert positions == sorted(set(positions)) and all(later - earlier > 50 for earlier, later in zip(positions, positions[1:]))
assert all(e.commit_position == e.prepare_position for e in log)
assert log[2].commit_position == third
assert [e.id.int for e in client.read_all(commit_position=third, **mine)] == [3, 21, 22, 23]
assert [e.id.int for e in client.read_all(backwards=True, limit=2, **mine)] == [23, 22]
assert [e.id.int for e in client.read_all(commit_position=third, backwards=True, **mine)] == [2, 1]
everything = list(client.read_all(filter_exclude=[]))
assert any(e.type.startswith("$") for e in everything), "system events stand in the log"
assert client.get_commit_position(filter_exclude=[]) >= positions[-1]
done("read the log")

with client.subscribe_to_all(include_caught_up=True, include_checkpoints=True, **mine) as subscription:
    seen, caught_up, checkpoints = [], 0, 0
    for delivered in subscription:
        if isinstance(delivered, CaughtUp):
            caught_up += 1
            if caught_up == 1:
                client.append_events(second, current_version=2, events=[event(24)])
        elif isinstance(delivered, Checkpoint):
            checkpoints += 1
        else:
            seen.append(delivered.id.int)
            if seen[-1] == 24:
                break
assert seen == [1, 2, 3, 21, 22, 23, 24] and caught_up == 1 and checkpoints >= 1
with client.subscribe_to_all(commit_position=third, **mine) as subscription:
    assert next(subscription).id.int == 21, "a subscription begins after its position"
by_type = dict(filter_include=["other"], filter_by_stream_name=False)
client.append_events(second, current_version=3, events=[event(25, "other")])
with client.subscribe_to_all(**by_type) as subscription:
    assert next(subscription).id.int == 25
with client.subscribe_to_stream(stream, stream_position=0) as subscription:
    assert [next(subscription).id.int, next(subscription).id.int] == [2, 3]
done("subscribe")

assert client.get_stream_metadata(second) == ({}, StreamState.NO_STREAM)
client.set_stream_metadata(second, metadata={"$maxCount": 2}, current_version=StreamState.NO_STREAM)
assert client.get_stream_metadata(second) == ({"$maxCount": 2}, 0)
assert [e.id.int for e in client.get_stream(second)] == [24, 25]
assert [e.id.int for e in client.get_stream(second, stream_position=0)] == [24, 25]
client.set_stream_metadata(second, metadata={"$tb": 4}, current_version=0)
assert [e.id.int for e in client.get_stream(second)] == [25]
done("metadata")

client.delete_stream(second, current_version=4)
refused(NotFoundError, lambda: client.get_stream(second))
client.tombstone_stream(stream, current_version=2)
refused(StreamIsDeletedError, lambda: client.get_stream(stream))
refused(StreamIsDeletedError, lambda: client.append_events(stream, current_version=2, events=[event(99)]))
done("delete")

members = client.read_gossip()
assert sum(1 for member in members if member.state == "NODE_STATE_LEADER") == 1, members
done("gossip")
client.close()
