import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toHex } from "@meterkeep/dlms";
import {
  decodeCertificate,
  makeOcspRequest,
  openCrl,
  openOcspResponse,
  PROFILES,
  type PublicKey,
} from "@meterkeep/pki";

import { createPool } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { startTestServer } from "../../apps/server/src/testing/test-server.ts";
import { openPki, type Pki } from "../../packages/custody/src/pki/open-pki.ts";
import { openTrustJournal } from "../../packages/custody/src/pki/trust-journal.ts";
import { GroupCommitter } from "../../packages/custody/src/store/committer.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../../packages/custody/src/store/postgres-store.ts";
import { openVault } from "../../packages/custody/src/vault/open-vault.ts";

// A whole sub-CA issued anew in the custodian's own database, the ledger first: certificates for a fleet under one authority,
// then under its successor, what it takes to look at all that the former was ordered to sign, the former ones revoked and their lists signed; and answers about certificates over a real
// socket beside a bare server. `--meters N`, 1000000 unless given; `--requests N`, 20000 unless given.

const option = (name: string, standard: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? standard : Number(process.argv[at + 1]);
};
const MILLION = 1_000_000;
const METERS = option("meters", MILLION);
const REQUESTS = option("requests", 20_000);
const BATCH = 500;
const AT_ONCE = 3;
const PLACE = { utility: "stadtwerke", island: "mainland" } as const;
const SIGNATURE = PROFILES.get("dlms-suite-1-signature")!;

const line = (what: string, figure: string): void => console.log(`  ${what.padEnd(58)} ${figure}`);
const mib = (): string => {
  globalThis.gc?.();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  const [resident, objects, octets] = [rss, heapUsed, arrayBuffers].map((bytes) => (bytes / 2 ** 20).toFixed(0));
  return `${resident} MiB resident, ${objects} of them objects in use and ${octets} their octets`;
};
const rate = (count: number, ms: number): string => `${Math.round((count * 1000) / ms).toLocaleString("en")} a second`;

function titleOf(number: number): Uint8Array {
  const title = Uint8Array.from([0x4d, 0x4b, 0x30, 0x30, 0, 0, 0, 0]);
  new DataView(title.buffer).setUint32(4, number);
  return title;
}

/** The keys of a fleet are the meters' own; signing costs the same whosever they are. */
const KEYS: readonly PublicKey[] = Array.from({ length: 64 }, () => {
  const { x, y } = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
  return {
    curve: "P-256",
    point: new Uint8Array(Buffer.concat([Buffer.from(x!, "base64url"), Buffer.from(y!, "base64url")])),
  };
});

async function issueFleet({ authorities }: Pki, authority: string): Promise<number> {
  const begin = performance.now();
  let next = 0;
  // Some batches at once: while one waits for the database another is signed.
  const line = async (): Promise<void> => {
    while (next < METERS) {
      const from = next;
      next += BATCH;
      await authorities.issueAll(
        Array.from({ length: Math.min(BATCH, METERS - from) }, (_, at) => ({
          authority,
          profile: SIGNATURE,
          subject: { systemTitle: titleOf(from + at) },
          publicKey: KEYS[(from + at) % KEYS.length]!,
          requester: "line-1",
        })),
      );
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, line));
  return performance.now() - begin;
}

await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool, adminUrl }) => {
  // The server of the tests gathers no statistics by itself, as every other does: without them pages of a million are sorted.
  const analyse = async (): Promise<void> => {
    const admin = createPool(adminUrl, { applicationName: "bench", maxConnections: 1 });
    await admin.query("analyze");
    await admin.end();
  };
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-bench-"));
  const store = postgresCustodyStore(pool);
  const opened = await openVault(store, { kind: "file", path: join(folder, "root.key") }, 0);
  const committer = new GroupCommitter(store);
  const pki = await openPki({
    store: store.pki,
    installation: store.installation,
    opened,
    committer,
    ledger: store.ledger,
    orders: store.pkiLedger,
    journal: await openTrustJournal(folder, opened.vault),
    options: { developmentTree: PLACE, limits: { "line-1": Number.MAX_SAFE_INTEGER } },
    now: () => Date.now(),
    pace: async () => undefined,
    onFailure: (error) => console.error(error),
  });
  console.log(`a sub-CA of ${METERS} meters issued anew, ledger, journal and registry in PostgreSQL`);
  const former = (await pki.issuerFor(PLACE, "P-256")).authority;
  line("before", mib());
  const first = await issueFleet(pki, former);
  await analyse();
  line("a fleet issued by the former authority", `${(first / 1000).toFixed(0)} s, ${rate(METERS, first)}, ${mib()}`);
  const owner = (await pki.authorities.all()).find(({ profile }) => profile === "utility")!;
  const key = await pki.keys.make("next-1", "P-256");
  const next = await pki.authorities.make({
    ...PLACE,
    name: "Next",
    profile: PROFILES.get("issuing-p256")!,
    parent: owner.authority,
    keyName: "next-1",
    requester: "bench",
    policies: ["2.5.29.32.0"],
  });
  const again = await issueFleet(pki, next.authority);
  line("issued anew by its successor", `${(again / 1000).toFixed(0)} s, ${rate(METERS, again)}, ${mib()}`);
  await analyse();
  const revokeBegin = performance.now();
  const plan = await pki.revocations.plan({ authority: former }, "superseded", "bench");
  await pki.revocations.move(plan.id, "start", "bench");
  await pki.tend();
  const revoking = performance.now() - revokeBegin;
  line("the former certificates revoked", `${(revoking / 1000).toFixed(0)} s, ${rate(METERS, revoking)}, ${mib()}`);
  const lookBegin = performance.now();
  let orders = 0;
  for (let after: string | undefined; ; ) {
    const page = await pki.orders.page(former, after, BATCH);
    orders += page.length;
    after = page.at(-1)?.serial;
    if (page.length < BATCH) break;
  }
  line(
    `a look at all ${orders} orders of the former authority`,
    `${((performance.now() - lookBegin) / 1000).toFixed(1)} s`,
  );
  const walkBegin = performance.now();
  let entries = 0;
  for (let after = 0; ; ) {
    const page = await pki.ledger.read(after, 1000);
    for (const { kind, body } of page) if (kind === "certificate-ordered") JSON.parse(body);
    entries += page.length;
    after = page.at(-1)?.sequence ?? after;
    if (page.length < 1000) break;
  }
  line(`beside it: the whole ledger of ${entries} entries`, `${((performance.now() - walkBegin) / 1000).toFixed(1)} s`);
  const listBegin = performance.now();
  const issuer = decodeCertificate((await pki.authorities.recordOf(former)).certificate);
  let [octets, listed] = [0, 0];
  for (let shard = 0; shard < 64; shard += 1) {
    const list = (await pki.publisher.list(former, shard, "full"))!;
    octets += list.octets.length;
    listed += openCrl(list.octets, issuer).revocations.length;
  }
  const listing = performance.now() - listBegin;
  line(
    `their lists signed and read back, ${listed} entries in 64 shards`,
    `${(listing / 1000).toFixed(1)} s, ${(octets / 2 ** 20).toFixed(1)} MiB of lists, ${mib()}`,
  );
  const all = again + revoking + listing;
  line("all of it", `${(all / 60_000).toFixed(1)} minutes`);
  if (METERS < MILLION)
    line("a million at that pace, not measured", `${((all / 60_000) * (MILLION / METERS)).toFixed(0)} minutes`);

  console.log(`answers about certificates over HTTP, ${REQUESTS} requests, 16 connections, kept alive`);
  const [certificate] = await pki.authorities.issueAll([
    {
      authority: next.authority,
      profile: SIGNATURE,
      subject: { systemTitle: titleOf(METERS + 1) },
      publicKey: key.publicKey,
      requester: "line-1",
    },
  ]);
  const asker = decodeCertificate(next.certificate);
  const question = makeOcspRequest(asker, certificate!.serial);
  const answer = await pki.publisher.timedAnswer(next.authority, question);
  await using server = await startTestServer({ custodian: { publishedAnswer: async () => answer } });
  const path = `/pki/ocsp/${next.authority}/${encodeURIComponent(Buffer.from(question).toString("base64"))}`;
  const port = Number(new URL(server.url).port);
  const got = await loadOf(port, path, REQUESTS);
  const status = openOcspResponse(new Uint8Array(got.octets), {
    issuer: asker,
    serial: certificate!.serial,
    at: new Date(),
  });
  const bare = createServer((_, response) => {
    response.writeHead(200, { "content-type": "application/ocsp-response", "content-length": answer.octets.length });
    response.end(answer.octets);
  });
  await new Promise<void>((resolve) => bare.listen(0, "127.0.0.1", resolve));
  const plain = await loadOf((bare.address() as AddressInfo).port, path, REQUESTS);
  bare.close();
  line(`the head-end, from its cache (${status.kind}, verified)`, rate(REQUESTS, got.ms));
  line("a bare node:http server with the same octets", rate(REQUESTS, plain.ms));
  line("the head-end beside it", `${(plain.ms / got.ms).toFixed(2)}`);
  const signed = performance.now();
  for (let at = 0; at < 2_000; at += 1) {
    pki.publisher.forget(next.authority, toHex(certificate!.serial));
    await pki.publisher.timedAnswer(next.authority, question);
  }
  line("the custodian, looked up and signed anew each time", rate(2_000, performance.now() - signed));
  await committer.close();
  await opened.close();
  rmSync(folder, { recursive: true });
});

/** So many GETs over 16 connections from this process, which pays for both ends. */
async function loadOf(
  port: number,
  path: string,
  count: number,
): Promise<{ readonly ms: number; readonly octets: Buffer }> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const get = (): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      request({ host: "127.0.0.1", port, path, agent, headers: { host: `localhost:${port}` } }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          response.statusCode === 200 ? resolve(Buffer.concat(chunks)) : reject(new Error(`${response.statusCode}`)),
        );
      })
        .on("error", reject)
        .end();
    });
  let octets = await get();
  const begin = performance.now();
  let left = count;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (left > 0) {
        left -= 1;
        octets = await get();
      }
    }),
  );
  const ms = performance.now() - begin;
  agent.destroy();
  return { ms, octets };
}
