import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { logName } from "../checkpoint/keys.ts";
import { parseNote } from "../checkpoint/note.ts";
import { generateSignerSecret, signedCheckpoint, softwareSigner } from "../checkpoint/signer.ts";
import { EMPTY_EDGE, growthOf } from "../growth.ts";
import { memoryLedgerStore } from "../memory-store.ts";
import { draft } from "../testing/ledger-store-contract.ts";
import { rootOf } from "../tree/frontier.ts";
import { consistencyProof } from "../tree/proofs.ts";
import { readerOf } from "../tree/stored-nodes.ts";
import { instanceWitness } from "./instance-witness.ts";
import { LedgerWitness } from "./ledger-witness.ts";
import { listenAsWitness } from "./server.ts";
import { folderSigner, folderWitnessMemory } from "./witness-folder.ts";

const signer = softwareSigner(1, generateSignerSecret());
const log = logName(signer.keys);

/** A ledger of some entries, and another that has forked from it at the third. */
async function ledgers() {
  const store = memoryLedgerStore();
  const notes = new Map<number, string>();
  let edge = EMPTY_EDGE;
  const noteOf = (at: typeof edge) =>
    signedCheckpoint(signer, { log, size: at.frontier.size, root: rootOf(at.frontier), at: 1 });
  for (let size = 1; size <= 10; size += 1) {
    const growth = growthOf(edge, [draft("entry", size)]);
    await store.append(growth);
    edge = growth.to;
    notes.set(size, await noteOf(edge));
  }
  const forked = await noteOf(
    growthOf(
      EMPTY_EDGE,
      Array.from({ length: 10 }, () => draft("other")),
    ).to,
  );
  const proof = (former: number, size: number) => consistencyProof(readerOf(store), former, size);
  return { note: (size: number) => notes.get(size) as string, forked, proof };
}

test("over HTTPS with one pinned certificate a witness takes what has grown, remembers it over a restart, and nothing else", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-witness-"));
  const [keyFile, certificateFile] = [join(folder, "k.pem"), join(folder, "c.pem")];
  execFileSync(
    "openssl",
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout ${keyFile} -out ${certificateFile}`.split(
      " ",
    ),
    { stdio: "ignore" },
  );
  const certificate = readFileSync(certificateFile, "utf8");
  const start = async () => {
    const witness = new LedgerWitness("west", folderWitnessMemory(folder), await folderSigner(folder));
    const privateKey = readFileSync(keyFile, "utf8");
    const server = await listenAsWitness(witness, {
      kind: "https",
      host: "127.0.0.1",
      port: 0,
      certificate,
      privateKey,
    });
    const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const end = () => {
      server.close();
      server.closeAllConnections();
    };
    return { witness, address, end };
  };
  const { note, forked, proof } = await ledgers();
  const first = await start();
  try {
    const { keys } = first.witness;
    const secure = connectTls({ port: Number(new URL(first.address).port), host: "127.0.0.1", ca: certificate });
    await once(secure, "secureConnect");
    assert.equal((secure.getEphemeralKeyInfo() as { readonly name?: string }).name, "X25519MLKEM768");
    secure.destroy();
    const west = instanceWitness({ name: "west", address: first.address, keys, certificate });
    await assert.rejects(west.add(note(3), 0, []), { code: "ledger-witness-refused" }, "it was told of no ledger");
    await folderWitnessMemory(folder).put({ log, keys: signer.keys, note: undefined });
    assert.equal((await west.add(note(3), 0, [])).kind, "taken");
    assert.equal((await west.add(note(7), 3, await proof(3, 7))).kind, "taken");
    assert.deepEqual(await west.add(note(9), 3, await proof(3, 9)), { kind: "elsewhere", note: note(7) });
    await assert.rejects(west.add(forked, 7, await proof(7, 10)), { code: "ledger-witness-refused" });
    await assert.rejects(west.add(note(5), 7, []), { code: "ledger-witness-refused" });
    const stranger = softwareSigner(1, generateSignerSecret());
    const false_ = await signedCheckpoint(stranger, { ...parseNote(note(9)).checkpoint });
    assert.deepEqual(await west.add(false_, 7, await proof(7, 9)), { kind: "keys-unknown", version: 1 });
    for (const wrong of [
      instanceWitness({ name: "west", address: first.address, keys }),
      instanceWitness({ name: "west", address: "https://127.0.0.1:1", keys, certificate }),
      instanceWitness({ name: "west", address: `unix:${folder}/nobody`, keys }),
    ])
      await assert.rejects(wrong.last(log), { code: "ledger-witness-away" });
    const pinned = instanceWitness({ name: "west", address: first.address, keys: stranger.keys, certificate });
    await assert.rejects(pinned.add(note(8), 7, await proof(7, 8)), { code: "ledger-witness-refused" });
  } finally {
    first.end();
  }
  const second = await start();
  try {
    const west = instanceWitness({ name: "west", address: second.address, keys: second.witness.keys, certificate });
    assert.equal(await west.last(log), note(8), "it had taken that before its signature was refused");
  } finally {
    second.end();
    rmSync(folder, { recursive: true });
  }
});
