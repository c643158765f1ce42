/**
 * `npm run replay -- FILE...`: replays recorded exchanges of other vendors against our client and our server. A line a file and
 * a total; `--why` adds why octets were not determined. Ends with 1 when something is not as recorded, with 2 without files.
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { lineOf, type Replayed, replay, unreadable } from "./replay.ts";

const why = process.argv.includes("--why");
const files = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const totals = {
  ok: 0,
  failed: 0,
  client: 0,
  server: 0,
  frames: 0,
  undetermined: 0,
  deciphered: 0,
  same: 0,
  otherwise: 0,
};

for (const file of files) {
  const result = await replayFile(file);
  count(result);
  console.log(lineOf(result));
  if (why) for (const reason of reasons(result)) console.log(`       ${reason}`);
}
if (files.length === 0) {
  console.error("usage: npm run replay -- [--why] FILE...");
  process.exitCode = 2;
} else {
  const { ok, failed, client, server, frames, undetermined, deciphered, same, otherwise } = totals;
  console.log(
    `${files.length} files: ${client} requests and ${server} answers octet-exact, ${frames} HDLC frames as well, ${undetermined} not determined by the recording; ` +
      `${deciphered} APDUs deciphered as recorded; ${same} values as recorded, ${otherwise} told otherwise`,
  );
  console.log(`${ok} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}

async function replayFile(file: string): Promise<Replayed> {
  const name = basename(file, ".json");
  try {
    return await replay(readFileSync(file, "utf8"), name);
  } catch (error) {
    return unreadable(name, `it cannot be read: ${(error as Error).message}`);
  }
}

function count({ ok, client, server, link, deciphered, values }: Replayed): void {
  totals[ok ? "ok" : "failed"] += 1;
  totals.client += client.exact;
  totals.server += server.exact;
  totals.frames += link.exact;
  totals.undetermined += client.undetermined.length + server.undetermined.length + link.undetermined.length;
  totals.deciphered += deciphered;
  totals.same += values.same;
  totals.otherwise += values.otherwise;
}

function reasons({ client, server, link, complaints }: Replayed): string[] {
  const tallies = new Map<string, number>();
  for (const [side, list] of [
    ["client", client.undetermined],
    ["server", server.undetermined],
    ["frames", link.undetermined],
  ] as const)
    for (const reason of list) tallies.set(`${side}: ${reason}`, (tallies.get(`${side}: ${reason}`) ?? 0) + 1);
  return [...[...tallies].map(([reason, times]) => `${times} x ${reason}`), ...complaints];
}
