"""Does one thing to a broker's topics, as their operator would.

Usage: admin.py BROKERS create TOPIC PARTITIONS [NAME=VALUE...]
       admin.py BROKERS delete TOPIC
       admin.py BROKERS set TOPIC NAME=VALUE...
       admin.py BROKERS partitions TOPIC COUNT
       admin.py BROKERS delete-records TOPIC PARTITION BEFORE_OFFSET
       admin.py BROKERS allow USER RESOURCE:NAME:OPERATION...
"""

import sys
import time

from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AclBinding, AclOperation, AclPermissionType, AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
    NewPartitions, NewTopic, ResourcePatternType, ResourceType,
)

brokers, action, topic, *rest = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": brokers})


def done(futures):
    for future in futures.values():
        future.result(30)


def pairs(words):
    return dict(word.split("=", 1) for word in words)


if action == "create":
    done(admin.create_topics([NewTopic(topic, int(rest[0]), 1, config=pairs(rest[1:]))]))
elif action == "delete":
    done(admin.delete_topics([topic], operation_timeout=30))
    while topic in admin.list_topics(timeout=30).topics:
        time.sleep(0.05)
elif action == "set":
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in pairs(rest).items()
    ]
    done(admin.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)]))
elif action == "partitions":
    done(admin.create_partitions([NewPartitions(topic, int(rest[0]))]))
elif action == "delete-records":
    done(admin.delete_records([TopicPartition(topic, int(rest[0]), int(rest[1]))]))
elif action == "allow":
    bindings = []
    for word in rest:
        resource, name, operation = word.split(":")
        bindings.append(AclBinding(
            ResourceType[resource.upper()], name, ResourcePatternType.LITERAL, f"User:{topic}", "*",
            AclOperation[operation.upper()], AclPermissionType.ALLOW,
        ))
    done(admin.create_acls(bindings))
else:
    sys.exit(f"unknown action {action}")
