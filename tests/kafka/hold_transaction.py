"""Leaves a transaction open in a topic, as a program that was killed would. Kafka ends it after twenty seconds.

Usage: hold_transaction.py BROKERS TOPIC
"""

import os
import sys

from confluent_kafka import Producer

brokers, topic = sys.argv[1:]
producer = Producer({
    "bootstrap.servers": brokers,
    "transactional.id": "somebody-else",
    "transaction.timeout.ms": 20000,
})
producer.init_transactions(30)
producer.begin_transaction()
producer.produce(topic, key="somebody-else", value="{}")
producer.flush(30)
# Nothing is aborted at the end.
os._exit(0)
