import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Ceremony, ShareFile } from "./ceremony.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const KILLER = new URL("../testing/die-at-rename.ts", import.meta.url).href;

/** What the first process has compiled is there for those that follow. */
const cache = mkdtempSync(join(tmpdir(), "meterkeep-compiled-"));
after(() => rmSync(cache, { recursive: true }));

/** `meterkeep ceremony …` as a process of its own, which may be killed before it renames a file for the nth time. */
async function ceremony(args: readonly string[], dieAtRename?: number) {
  const preload = dieAtRename === undefined ? [] : ["--import", KILLER];
  const env = { ...process.env, DIE_AT_RENAME: String(dieAtRename ?? 0), NODE_COMPILE_CACHE: cache };
  const child = spawn(process.execPath, [...preload, MAIN, "ceremony", ...args], { env, stdio: "pipe" });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece: Buffer) => (said += piece.toString()));
  const [status, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { status, signal, said };
}

async function done(...args: readonly string[]): Promise<string> {
  const { status, said } = await ceremony(args);
  assert.equal(status, 0, `${args.join(" ")}: ${said}`);
  return said;
}

async function killed(dieAtRename: number, ...args: readonly string[]): Promise<void> {
  assert.equal((await ceremony(args, dieAtRename)).signal, "SIGKILL");
}

test("each holder of a share comes with a process of his own, some are killed, and nothing is finished before all have proven theirs", async () => {
  const home = mkdtempSync(join(tmpdir(), "meterkeep-holders-"));
  const of = (name: string) => join(home, name);
  const folder = ["--folder", of("kept")];
  const state = () => JSON.parse(readFileSync(of("kept/ceremony.json"), "utf8")) as Ceremony;
  const hand = (index: number) => [
    "share",
    String(index),
    ...folder,
    "--to",
    of(`medium-${index}`),
    "--person",
    `p${index}`,
  ];
  try {
    const secret = randomBytes(32);
    writeFileSync(of("root.key"), secret, { mode: 0o600 });
    const split = ["begin", of("root.key"), ...folder, "--purpose", "a root", "--shares", "3", "--threshold", "2"];
    await done(...split);
    await done(...hand(1));
    // The second has the share on the medium, and the ceremony does not know: the same share is handed out once more.
    await killed(2, ...hand(2));
    const early = readFileSync(of("medium-2"), "utf8");
    assert.deepEqual(Object.keys(state().held), ["2", "3"]);
    await done(...hand(2));
    assert.equal(readFileSync(of("medium-2"), "utf8"), early);
    await done(...hand(3));
    await done("verify", of("medium-1"), ...folder);
    await killed(1, "verify", of("medium-2"), ...folder);
    assert.deepEqual(state().proven, [1], "what was not kept was not proven");
    await done("verify", of("medium-2"), of("medium-1"), ...folder);
    await done("verify", of("medium-3"), ...folder);
    await killed(2, "finish", ...folder);
    assert.equal(existsSync(of("kept/transcript.json")), false);
    await done("finish", ...folder);
    const transcript = readFileSync(of("kept/transcript.json"), "utf8");
    assert.deepEqual(
      (JSON.parse(transcript) as Ceremony).transcript.map(({ step }) => step),
      ["begun", "handed-out", "handed-out", "handed-out", "verified", "verified", "verified", "finished"],
    );
    assert.deepEqual(
      readdirSync(of("kept")).sort(),
      ["ceremony.json", "transcript.json"],
      "no draft has a share in it",
    );
    for (const index of [1, 2, 3]) {
      const { octets } = JSON.parse(readFileSync(of(`medium-${index}`), "utf8")) as ShareFile;
      for (const file of ["ceremony.json", "transcript.json"])
        assert.ok(!readFileSync(of(`kept/${file}`), "utf8").includes(octets), `share ${index} is in ${file}`);
    }
    assert.deepEqual(readFileSync(of("root.key")), secret, "what is old is let alone");
    await done("restore", of("medium-2"), of("medium-3"), ...folder, "--to", of("again"));
    assert.deepEqual(readFileSync(of("again")), secret);
  } finally {
    rmSync(home, { recursive: true });
  }
});
