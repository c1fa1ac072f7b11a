"""Reads topics from their beginning to their end, and prints a JSON object for each record.

Usage: read_topics.py BROKERS TOPIC... Only records of committed transactions are read. A commit is answered before each
partition shows it. So the script reads up to where the partitions end with every transaction counted, and waits for
transactions that are still open there.
"""

import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

brokers, topics = sys.argv[1], sys.argv[2:]
consumer = Consumer({
    "bootstrap.servers": brokers,
    "group.id": "reads-everything",
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "enable.partition.eof": True,
})
known = consumer.list_topics(timeout=30).topics
partitions = [TopicPartition(t, p, OFFSET_BEGINNING) for t in topics for p in known[t].partitions]
consumer.assign(partitions)
everything = Consumer({"bootstrap.servers": brokers, "group.id": "sees-everything", "isolation.level": "read_uncommitted"})
ends = {(p.topic, p.partition): everything.get_watermark_offsets(p, timeout=30)[1] for p in partitions}
everything.close()
open_partitions = set(ends)
while open_partitions:
    message = consumer.poll(30)
    if message is None:
        sys.exit("the broker does not answer")
    if message.error():
        if message.error().code() == KafkaError._PARTITION_EOF:
            partition = (message.topic(), message.partition())
            if message.offset() >= ends[partition]:
                open_partitions.discard(partition)
            continue
        sys.exit(str(message.error()))
    headers = {name: value.decode() for name, value in message.headers() or []}
    value = message.value()
    print(json.dumps({
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "key": message.key().decode() if message.key() else None,
        "headers": headers,
        "value": None if value is None else value.decode(),
    }))
