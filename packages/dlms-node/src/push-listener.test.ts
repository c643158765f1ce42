import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeWrapper } from "@meterkeep/dlms";
import { listenForPushesTcp, type ReceivedPush } from "./push-transport.ts";

/** Not `once`, which takes a reset for a failure. */
const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once("close", () => resolve()));

const FRAME = encodeWrapper(1, 16, Uint8Array.of(0x0f, 1, 2, 3));

test("whoever drips a frame is cut off when its time is up, and whoever sends whole ones stays", async () => {
  const pushes: ReceivedPush[] = [];
  await using listener = await listenForPushesTcp({
    onPush: (push) => pushes.push(push),
    frameTimeoutMilliseconds: 60,
  });
  const slow = connect({ host: listener.host, port: listener.port });
  const good = connect({ host: listener.host, port: listener.port });
  for (const socket of [slow, good]) socket.on("error", () => undefined);
  await Promise.all([once(slow, "connect"), once(good, "connect")]);
  const cut = closed(slow);
  let sent = 0;
  const whole = (): void => {
    good.write(FRAME);
    sent += 1;
  };
  // Far slower than the frame may take; the loop ends with the frame at the latest.
  for (const octet of FRAME.subarray(0, -1)) {
    if (slow.destroyed) break;
    slow.write(Uint8Array.of(octet));
    whole();
    await sleep(15);
  }
  await cut;
  whole();
  good.end();
  await closed(good);
  assert.equal(pushes.length, sent);
});

test("one address holds no more connections than it may", async () => {
  let heard = 0;
  await using listener = await listenForPushesTcp({ onPush: () => (heard += 1), maxConnectionsPerAddress: 2 });
  const open = async () => {
    const socket = connect({ host: listener.host, port: listener.port });
    socket.on("error", () => undefined);
    await once(socket, "connect");
    return socket;
  };
  const [first, second] = [await open(), await open()];
  const third = await open();
  await closed(third);
  first.destroy();
  // The listener hears of that when it does: until then another is turned away like the third.
  for (let taken = false; !taken; ) {
    const again = await open();
    again.write(FRAME);
    const turnedAway = closed(again).then(() => true);
    while (heard === 0 && !(await Promise.race([turnedAway, sleep(1)])));
    taken = heard > 0;
    again.destroy();
  }
  // Who was there is heard all the while.
  second.write(FRAME);
  while (heard < 2) await sleep(1);
  second.destroy();
});
