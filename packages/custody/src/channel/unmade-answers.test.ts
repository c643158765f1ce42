import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { callError, frame } from "@meterkeep/api/custodian";
import { FrameCutter } from "@meterkeep/api/custodian-channel";
import { decode } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import { shipmentMetersCall, withOneMethodChannel } from "../testing/one-method-channel.ts";

test("a refusal that is too long for its frame is told as far as there is room, in whole characters", async () => {
  for (const [message, told] of [
    ["漢".repeat(600), "漢".repeat(341)],
    ["a".repeat(2000), "a".repeat(1024)],
    [`half \ud83d of one`, "half \ufffd of one"],
    [`${"a".repeat(1022)}😀`, "a".repeat(1022)],
  ] as const) {
    const refuse = async () => {
      throw new CallRefusal("change-refused", message);
    };
    await withOneMethodChannel(
      refuse,
      (error) => assert.fail(String(error)),
      async (socket) => {
        socket.write(shipmentMetersCall(7));
        const [answer] = new FrameCutter().push((await once(socket, "data"))[0] as Buffer);
        const { kind, payload } = decode(frame, answer!);
        assert.equal(kind, "error");
        assert.deepEqual(decode(callError, payload), { code: "change-refused", message: told });
      },
    );
  }
});

test("an answer that cannot even be refused ends the connection, and the process stays", async () => {
  const failures: unknown[] = [];
  const refuse = async () => {
    throw new CallRefusal("no-such-code" as never, "a code that no frame takes");
  };
  await withOneMethodChannel(
    refuse,
    (error) => failures.push(error),
    async (socket) => {
      socket.write(shipmentMetersCall(7));
      socket.resume();
      await once(socket, "close");
    },
  );
  assert.equal(failures.length, 1);
});
