import { randomBytes } from "node:crypto";
import { Token } from "../src/index.ts";
import { SoftTokens, softTokenMissing } from "../src/testing/soft-token.ts";

// MACs a second of a SoftHSM2 token through its process: as it is, and with every call of the library taking 1 ms longer
// (an operation is two calls), in batches, with more and more sessions. A network HSM behaves like the slow one.

const missing = softTokenMissing();
if (missing !== undefined) throw new Error(missing);
const seconds = 2;

using tokens = new SoftTokens();
const options = tokens.make("bench", { sessions: 1 });
for (const milliseconds of [0, 1]) {
  tokens.fault(milliseconds === 0 ? { kind: "none" } : { kind: "latency", times: -1, milliseconds });
  for (const sessions of [1, 8, 32])
    for (const batch of [1, 64]) {
      await using token = new Token({ ...options, sessions });
      await token.calls.ensureWrappingKey("wrapping");
      const secret = await token.calls.makeSecret("wrapping");
      const texts = Array.from({ length: batch }, () => randomBytes(60));
      await token.calls.macs(secret, texts);
      const begin = performance.now();
      let done = 0;
      const lane = async (): Promise<void> => {
        while (performance.now() - begin < seconds * 1000) {
          await token.calls.macs(secret, texts);
          done += batch;
        }
      };
      await Promise.all(Array.from({ length: Math.max(2, (2 * sessions) / batch) }, lane));
      const rate = (done * 1000) / (performance.now() - begin);
      const setting = `${milliseconds === 0 ? "no delay" : "2 ms an operation"}, ${sessions} sessions, ${batch} a call`;
      console.log(`  ${setting.padEnd(48)} ${Math.round(rate).toLocaleString("en").padStart(8)} MACs a second`);
    }
}
