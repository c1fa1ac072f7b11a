"""Keeps which accounts are locked, in a file, together with the offsets up to which it has read.

Usage: consumer.py BROKERS FILE [--once]. With --once, it ends when no event has come for three seconds.
It needs the package confluent-kafka.
"""

import json
import os
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

TOPIC = "loquet.accounts.v1"
UNLOCKS = ["lockout-released", "password-reset", "deleted", "erased"]
if len(sys.argv) < 3:
    sys.exit("usage: consumer.py BROKERS FILE [--once]")
brokers, file = sys.argv[1:3]
state = json.load(open(file)) if os.path.exists(file) else {"offsets": {}, "locked": {}}
consumer = Consumer({
    "bootstrap.servers": brokers,
    "group.id": "locked-accounts",
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
})
topic = consumer.list_topics(TOPIC, timeout=30).topics[TOPIC]
if topic.error:
    sys.exit(f"{TOPIC}: {topic.error}")
partitions = topic.partitions
offset = lambda partition: state["offsets"].get(str(partition), OFFSET_BEGINNING)
consumer.assign([TopicPartition(TOPIC, partition, offset(partition)) for partition in partitions])
while True:
    record = consumer.poll(3)
    if record is None:
        if "--once" in sys.argv:
            break
        continue
    if record.error():
        sys.exit(str(record.error()))
    account, kind = record.key().decode(), dict(record.headers() or {}).get("ce_type", b"").decode()
    if kind == "loquet.account.locked.v1":
        lockout = json.loads(record.value())
        # A lockout of one device keeps nobody else out.
        if lockout["locked"] != "device":
            state["locked"][account] = lockout.get("until")
    elif kind in [f"loquet.account.{name}.v1" for name in UNLOCKS]:
        state["locked"].pop(account, None)
    # What was learned and the offset change together. So a crash loses nothing and repeats nothing.
    state["offsets"][str(record.partition())] = record.offset() + 1
    with open(f"{file}.new", "w") as new:
        json.dump(state, new)
    os.replace(f"{file}.new", file)
