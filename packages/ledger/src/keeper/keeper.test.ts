import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseNote } from "../checkpoint/note.ts";
import { generateSignerSecret, type LedgerSigner, softwareSigner } from "../checkpoint/signer.ts";
import { memoryCheckpointStore } from "../checkpoint/store.ts";
import { Ledger } from "../ledger.ts";
import { memoryLedgerStore } from "../memory-store.ts";
import { draft } from "../testing/ledger-store-contract.ts";
import { fileWitness } from "../witness/file-witness.ts";
import { LedgerWitness, type WitnessedLedger } from "../witness/ledger-witness.ts";
import type { Witness } from "../witness/witness.ts";
import { DEFAULT_KEEPER_SETTINGS } from "./keeper-ports.ts";
import { LedgerKeeper } from "./ledger-keeper.ts";

class Killed extends Error {}

/** The steps between an entry and its witnesses; the process is killed at one of them, before or after it is done. */
const STEPS = ["append", "sign", "keep", "file", "instance", "cosign"] as const;
type Step = (typeof STEPS)[number];

/** What outlives a process: database, file, second instance, vault. */
function world() {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-keeper-"));
  const path = join(folder, "checkpoints.jsonl");
  const store = memoryLedgerStore();
  const checkpoints = memoryCheckpointStore();
  const signers = new Map<number, LedgerSigner>();
  const known = new Map<string, WitnessedLedger>();
  const west = new LedgerWitness(
    "west",
    {
      get: async (log) => known.get(log),
      put: async (ledger) => {
        known.set(ledger.log, ledger);
      },
    },
    softwareSigner(1, generateSignerSecret()),
  );
  let plan: { readonly step: Step; readonly when: "before" | "after"; skip: number } | undefined;
  let now = Date.now();
  let refused: Error | undefined;
  const killing = async <T>(step: Step, act: () => Promise<T>): Promise<T> => {
    const here = plan?.step === step && plan.skip-- === 0 ? plan : undefined;
    if (here?.when === "before") throw new Killed(step);
    const done = await act();
    if (here !== undefined) throw new Killed(step);
    return done;
  };
  const instance: Witness = {
    name: "west",
    kind: "instance",
    last: (log) => west.last(log),
    add: (note, former, proof) => killing("instance", () => west.add(note, former, proof)),
    addKeys: (log, change) => west.addKeys(log, change),
  };
  const file = fileWitness("near", path);
  const start = async () => {
    const ledger = new Ledger({ ...store, append: (growth) => killing("append", () => store.append(growth)) });
    const keeper = new LedgerKeeper({
      reads: store,
      checkpoints: {
        ...checkpoints,
        add: (size, note) =>
          killing("keep", () => (refused === undefined ? checkpoints.add(size, note) : Promise.reject(refused))),
        cosign: (size, witness, lines) => killing("cosign", () => checkpoints.cosign(size, witness, lines)),
      },
      witnesses: [
        { ...file, add: (note, former, proof) => killing("file", () => file.add(note, former, proof)) },
        instance,
      ],
      head: () => ledger.head(),
      signableHead: () => ledger.head(),
      append: async (...drafts) => {
        await ledger.append(...drafts);
      },
      signer: async (version) => {
        const signer = signers.get(version) ?? softwareSigner(version, generateSignerSecret());
        signers.set(version, signer);
        return { ...signer, sign: (text) => killing("sign", () => signer.sign(text)) };
      },
      keys: async () => [...signers.values()].map(({ keys }) => keys),
      now: () => now,
      settings: DEFAULT_KEEPER_SETTINGS,
      approvers: [],
      approved: undefined,
    });
    await keeper.open();
    const { log = "", keys } = keeper.state;
    if (!known.has(log) && keys[0] !== undefined) known.set(log, { log, keys: keys[0].keys, note: undefined });
    return { ledger, keeper };
  };
  return {
    path,
    store,
    checkpoints,
    known,
    start,
    kill: (step: Step, when: "before" | "after", skip = 0) => {
      plan = { step, when, skip };
    },
    wait: (seconds: number) => {
      now += seconds * 1000;
    },
    /** The database takes no row of a checkpoint. */
    refuse: (error?: Error) => {
      refused = error;
    },
    spare: () => {
      plan = undefined;
    },
    end: () => rmSync(folder, { recursive: true }),
  };
}

test("killed at every step between entry, signature, checkpoint and witnesses, a ledger goes on and all agree", async () => {
  for (const step of STEPS)
    for (const when of ["before", "after"] as const)
      for (const act of ["checkpoint", "rotate"] as const)
        for (const skip of act === "rotate" ? [0, 1, 2] : [0]) {
          const place = `${act} killed ${when} ${step} ${skip}`;
          const here = world();
          try {
            const first = await here.start();
            await first.ledger.append(draft("one"));
            await first.keeper.checkpoint();
            here.kill(step, when, skip);
            await (async () => {
              await first.ledger.append(draft("two"));
              await (act === "rotate" ? first.keeper.rotate() : first.keeper.checkpoint());
            })().catch((error: Error) =>
              assert.ok(
                [error, error.cause].some((one) => one instanceof Killed),
                `${place}: ${error}`,
              ),
            );
            here.spare();
            const second = await here.start();
            assert.equal(second.keeper.state.halt, undefined, place);
            await second.ledger.append(draft("three"));
            await second.keeper.checkpoint();
            const { checkpoint, witnesses, halt } = second.keeper.state;
            const size = await here.store.size();
            assert.equal(halt, undefined, place);
            assert.equal(checkpoint?.checkpoint.size, size, place);
            assert.deepEqual(
              witnesses.map((one) => [one.name, one.state, one.size]),
              [
                ["near", "current", size],
                ["west", "current", size],
              ],
              `${place}: ${witnesses.map(({ problem }) => problem).join("; ")}`,
            );
            const [seen] = here.known.values();
            assert.equal(seen && parseNote(seen.note ?? "").checkpoint.size, size, place);
          } finally {
            here.end();
          }
        }
});

test("a line that a crash has cut in the witness's file is passed over, and the next one begins anew", async () => {
  const here = world();
  try {
    const first = await here.start();
    await first.keeper.checkpoint();
    const whole = readFileSync(here.path, "utf8");
    writeFileSync(here.path, `${whole}${whole.slice(0, 500)}`);
    const second = await here.start();
    assert.equal(second.keeper.state.halt, undefined);
    await second.ledger.append(draft("more"));
    await second.keeper.checkpoint();
    assert.equal(readFileSync(here.path, "utf8").trimEnd().split("\n").length, 3);
    assert.equal((await here.start()).keeper.state.witnesses[0]?.size, await here.store.size());
  } finally {
    here.end();
  }
});

test("a checkpoint is made after so many entries, or so many seconds, and never for nothing", async () => {
  const here = world();
  try {
    const { ledger, keeper } = await here.start();
    await keeper.tick();
    const before = keeper.state.checkpoint?.checkpoint.size ?? 0;
    await keeper.tick();
    assert.equal(keeper.state.checkpoint?.checkpoint.size ?? 0, before);
    await ledger.append(...Array.from({ length: DEFAULT_KEEPER_SETTINGS.everyEntries }, (_, at) => draft("entry", at)));
    await keeper.tick();
    assert.equal(keeper.state.checkpoint?.checkpoint.size, await here.store.size());
  } finally {
    here.end();
  }
});

const isLate = ({ state }: LedgerKeeper): boolean => state.late !== undefined;

test("who refuses the rows of checkpoints keeps nothing from the witnesses, and is told of when one is late", async () => {
  const here = world();
  try {
    const { ledger, keeper } = await here.start();
    await keeper.checkpoint();
    const stored = await here.checkpoints.last(Number.MAX_SAFE_INTEGER);
    here.refuse(new Error("no space left"));
    await ledger.append(draft("entry"));
    await keeper.tick();
    here.wait(DEFAULT_KEEPER_SETTINGS.latestSeconds);
    await keeper.tick();
    assert.ok(!isLate(keeper));
    const size = await here.store.size();
    assert.deepEqual(
      keeper.state.witnesses.map((one) => [one.state, one.size]),
      [
        ["current", size],
        ["current", size],
      ],
    );
    here.wait(1);
    assert.equal(keeper.state.late?.code, "ledger-checkpoint-late");
    assert.match(keeper.state.late?.message ?? "", new RegExp(`after ${stored?.size} wait .*: no space left`));
    assert.deepEqual(await here.checkpoints.last(Number.MAX_SAFE_INTEGER), stored);
    await assert.rejects(keeper.rotate(), { code: "ledger-checkpoint-late" });
    here.refuse();
    here.wait(DEFAULT_KEEPER_SETTINGS.everySeconds);
    await keeper.tick();
    assert.ok(!isLate(keeper));
    const last = await here.checkpoints.last(Number.MAX_SAFE_INTEGER);
    assert.equal(last?.size, await here.store.size());
    assert.deepEqual(
      last?.cosignatures.map(({ witness }) => witness),
      ["west"],
    );
  } finally {
    here.end();
  }
});
