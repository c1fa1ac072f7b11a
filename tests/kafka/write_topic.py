"""Writes records into a topic, and waits until the broker has them.

Usage: write_topic.py BROKERS TOPIC CONTENT_TYPE. Each line of the input is a JSON list: the key and the value.
"""

import json
import sys

from confluent_kafka import Producer

brokers, topic, content_type = sys.argv[1:]
producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "message.max.bytes": 10000000})
for line in sys.stdin:
    key, value = json.loads(line)
    producer.produce(topic, key=key, value=value, headers={"content-type": content_type})
    producer.poll(0)
if producer.flush(30):
    sys.exit("the broker did not take every record")
