"""Joins a consumer group, reads for some seconds, commits nothing, and leaves.

Usage: join_group.py BROKERS TOPIC GROUP SECONDS
"""

import sys
import time

from confluent_kafka import Consumer

brokers, topic, group, seconds = sys.argv[1:]
consumer = Consumer({
    "bootstrap.servers": brokers,
    "group.id": group,
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
})
consumer.subscribe([topic])
end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    consumer.poll(0.1)
consumer.close()
