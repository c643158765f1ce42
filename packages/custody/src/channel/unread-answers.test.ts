import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FrameCutter } from "@meterkeep/api/custodian-channel";
import { systemTitle } from "@meterkeep/dlms";
import { shipmentMetersCall, withOneMethodChannel } from "../testing/one-method-channel.ts";

const REQUESTS = 1_000;

const METERS = Array.from({ length: 100 }, () => ({
  systemTitle: systemTitle(new Uint8Array(8)),
  logicalDeviceName: "x".repeat(200),
  serialNumber: "x".repeat(200),
  model: "",
  hardwareRevision: "",
  firmware: "",
  profile: "",
  securitySuite: 0,
  manufacturer: { flag: "", name: "" },
  holders: [],
  simulated: false,
}));

test("a caller that asks and does not read is answered no further, until it reads: then all of it is answered", async () => {
  let begun = 0;
  const answer = async () => {
    begun += 1;
    return { meters: METERS };
  };
  await withOneMethodChannel(
    answer,
    (error) => assert.fail(String(error)),
    async (socket) => {
      socket.pause();
      socket.write(
        Buffer.concat(Array.from({ length: REQUESTS }, (_, correlation) => shipmentMetersCall(correlation))),
      );
      for (let before = -1; begun === 0 || before !== begun; await sleep(50)) before = begun;
      assert.ok(begun < REQUESTS, `${begun} of ${REQUESTS} were begun for a caller that reads nothing`);
      const cutter = new FrameCutter();
      let answered = 0;
      for await (const chunk of socket) {
        answered += cutter.push(chunk as Buffer).length;
        if (answered === REQUESTS) break;
      }
      assert.deepEqual([answered, begun], [REQUESTS, REQUESTS]);
    },
  );
});
