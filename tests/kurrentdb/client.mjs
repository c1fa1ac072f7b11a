// Holds the server of the tests against @kurrent/kurrentdb-client, which nobody of this project wrote.
//
// usage: node client.mjs FOLDER_OF_THE_PACKAGES CONNECTION_STRING PREFIX
// Each line that it prints is a step that went as the client's documentation says.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [folder, url, prefix] = process.argv.slice(2);
const require = createRequire(`${folder}/package.json`);
const kurrent = require("@kurrent/kurrentdb-client");
const { KurrentDBClient, jsonEvent, NO_STREAM, ANY, START, END, FORWARDS, BACKWARDS } = kurrent;

const client = KurrentDBClient.connectionString(url);
const done = (step) => console.log(step);
const id = (n) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const event = (n, type = "happened") => jsonEvent({ id: id(n), type, data: { n, text: "é" }, metadata: { by: "node" } });
const all = async (events) => {
  const read = [];
  for await (const { event } of events) read.push(event);
  return read;
};
const numbers = (events) => events.map((event) => event.data.n);
const refused = (promise, type) => assert.rejects(promise, (error) => error instanceof type || assert.fail(String(error)));

const stream = `${prefix}one`;
const first = await client.appendToStream(stream, [event(1), event(2)], { streamState: NO_STREAM });
assert.equal(first.nextExpectedRevision, 1n);
const third = await client.appendToStream(stream, event(3), { streamState: 1n });
assert.ok(third.position.commit > first.position.commit);
done("append");

for (const streamState of [NO_STREAM, 1n, 7n]) {
  await refused(client.appendToStream(stream, event(9), { streamState }), kurrent.WrongExpectedVersionError);
}
await refused(client.appendToStream(`${prefix}none`, event(9), { streamState: 0n }), kurrent.WrongExpectedVersionError);
done("conflict");

const again = await client.appendToStream(stream, event(3), { streamState: 1n });
assert.deepEqual(again.position, third.position);
const any = await client.appendToStream(stream, event(3), { streamState: ANY });
assert.deepEqual(any.position, third.position);
done("repeat");

const read = await all(client.readStream(stream, { direction: FORWARDS, fromRevision: START }));
assert.deepEqual(numbers(read), [1, 2, 3]);
assert.deepEqual(read.map((event) => event.revision), [0n, 1n, 2n]);
assert.deepEqual(read[0].metadata, { by: "node" });
assert.equal(read[0].id, id(1));
const back = await all(client.readStream(stream, { direction: BACKWARDS, fromRevision: END, maxCount: 2 }));
assert.deepEqual(numbers(back), [3, 2]);
await refused(all(client.readStream(`${prefix}none`)), kurrent.StreamNotFoundError);
done("read a stream");

const second = `${prefix}two`;
await client.appendToStream(second, [event(21), event(22)], { streamState: NO_STREAM });
const filter = kurrent.streamNameFilter({ prefixes: [prefix] });
const log = await all(client.readAll({ direction: FORWARDS, fromPosition: START, filter }));
assert.deepEqual(numbers(log), [1, 2, 3, 21, 22]);
assert.deepEqual(log[2].position, third.position);
const from = await all(client.readAll({ direction: FORWARDS, fromPosition: third.position, filter }));
assert.deepEqual(numbers(from), [3, 21, 22]);
const newest = await all(client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 2, filter }));
assert.deepEqual(numbers(newest), [22, 21]);
const everything = await all(client.readAll());
assert.ok(everything.some((event) => event.type.startsWith("$")), "system events stand in the log");
done("read the log");

const seen = [];
let caughtUp = 0;
const subscription = client.subscribeToAll({ fromPosition: START, filter });
subscription.on("caughtUp", async () => {
  caughtUp += 1;
  if (caughtUp === 1) await client.appendToStream(second, event(23), { streamState: 1n });
});
for await (const { event } of subscription) {
  seen.push(event.data.n);
  if (event.data.n === 23) break;
}
assert.deepEqual(seen, [1, 2, 3, 21, 22, 23]);
assert.equal(caughtUp, 1);
done("subscribe");

assert.deepEqual((await client.getStreamMetadata(second)).metadata, undefined);
await client.setStreamMetadata(second, { maxCount: 1 });
assert.deepEqual((await client.getStreamMetadata(second)).metadata, { maxCount: 1 });
assert.deepEqual(numbers(await all(client.readStream(second))), [23]);
done("metadata");

await client.deleteStream(second);
await refused(all(client.readStream(second)), kurrent.StreamNotFoundError);
await client.tombstoneStream(stream);
await refused(all(client.readStream(stream)), kurrent.StreamDeletedError);
done("delete");
await client.dispose();
process.exit(0);
