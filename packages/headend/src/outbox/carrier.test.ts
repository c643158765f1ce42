import { carrierContract } from "../testing/carrier-contract.ts";
import { startNatsServer } from "../testing/nats-server.ts";
import type { Consignment } from "./carrier.ts";
import { openNats } from "./nats.ts";

carrierContract("memory", async () => {
  const kept: Consignment[] = [];
  return {
    carrier: {
      carry: async (consignment) => {
        kept.push(consignment);
      },
    },
    hearing: {
      hear: async (take, signal) => {
        for (let next = kept[0]; next !== undefined && !signal.aborted; next = kept[0]) {
          await take(next);
          kept.shift();
        }
      },
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
});

carrierContract("NATS", async () => {
  const server = await startNatsServer("alone");
  const line = await openNats({ url: server.url }, "u/c/00000003");
  return {
    carrier: line,
    hearing: line,
    [Symbol.asyncDispose]: async () => {
      await line[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
});
