import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { test } from "node:test";
import { Silence } from "./silence.ts";

test("who owes an answer may be silent only so long; whatever is heard starts the time anew", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "setImmediate"] });
  const { timers } = context.mock;
  let silences = 0;
  const silence = new Silence(1_000, () => {
    silences += 1;
  });
  timers.tick(5_000);
  silence.asked();
  timers.tick(900);
  silence.asked();
  silence.heard(true);
  timers.tick(900);
  assert.equal(silences, 0);
  silence.heard(false);
  timers.tick(5_000);
  assert.equal(silences, 0, "nobody waits");
  silence.asked();
  timers.tick(999);
  assert.equal(silences, 0);
  timers.tick(2);
  timers.tick(1);
  assert.equal(silences, 1);
  silence.end();
});

test("an answer that came while we were held up ourselves is read before anybody is called silent", async () => {
  const server = createServer((socket) => socket.on("data", (question) => socket.write(question))).listen(
    0,
    "127.0.0.1",
  );
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  try {
    socket.write("?");
    await once(socket, "data");
    const answered = Promise.withResolvers<void>();
    const silence = new Silence(20, () => answered.reject(new Error("it had answered")));
    socket.once("data", () => {
      silence.heard(false);
      answered.resolve();
    });
    silence.asked();
    socket.write("?");
    // One turn sends the question, one answers it; then we are held up over the limit, with the answer in our socket.
    await new Promise((resolve) => setTimeout(resolve, 5));
    const until = performance.now() + 40;
    while (performance.now() < until);
    await answered.promise;
  } finally {
    socket.destroy();
    server.close();
  }
});
