// Keeps which accounts are locked, in a file, together with the offsets up to which it has read.
//
// Usage: node consumer.mjs BROKERS FILE [--once]. With --once, it ends when no event has come for three seconds.
// It needs the package @platformatic/kafka.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { Consumer, FetchIsolationLevels, stringDeserializers } from '@platformatic/kafka'

const TOPIC = 'loquet.accounts.v1'
const UNLOCKS = ['lockout-released', 'password-reset', 'deleted', 'erased'].map(name => `loquet.account.${name}.v1`)
const [brokers, file, once] = process.argv.slice(2)
const state = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { offsets: {}, locked: {} }
const consumer = new Consumer({
  clientId: 'locked-accounts',
  // A group of its own at each start: this client waits for members that were killed. The offsets are in the file.
  groupId: `locked-accounts-${process.pid}`,
  bootstrapBrokers: brokers.split(','),
  deserializers: stringDeserializers
})
const { topics } = await consumer.metadata({ topics: [TOPIC] })
const partitions = topics.get(TOPIC).partitions.map((_, partition) => partition)
const offsets = partitions.map(partition => ({ topic: TOPIC, partition, offset: BigInt(state.offsets[partition] ?? 0) }))
const stream = await consumer.consume({
  topics: [TOPIC],
  mode: 'manual',
  offsets,
  autocommit: false,
  isolationLevel: FetchIsolationLevels.READ_COMMITTED
})
let last = Date.now()
if (once) setInterval(() => Date.now() - last > 3000 && process.exit(0), 100)
for await (const record of stream) {
  last = Date.now()
  const kind = record.headers.get('ce_type')
  const lockout = kind === 'loquet.account.locked.v1' && JSON.parse(record.value)
  // A lockout of one device keeps nobody else out.
  if (lockout && lockout.locked !== 'device') state.locked[record.key] = lockout.until ?? null
  else if (UNLOCKS.includes(kind)) delete state.locked[record.key]
  // What was learned and the offset change together. So a crash loses nothing and repeats nothing.
  state.offsets[record.partition] = Number(record.offset) + 1
  writeFileSync(`${file}.new`, JSON.stringify(state))
  renameSync(`${file}.new`, file)
}
