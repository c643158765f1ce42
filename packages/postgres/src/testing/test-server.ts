import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { launchEmbedded } from "../embedded/launch.ts";
import { memoryDirectory } from "./memory-directory.ts";

/**
 * Waits until the process that holds its standard input has ended, however it ended, then stops the server and removes
 * its directory. Arguments: process id of the server, directory.
 */
const GUARDIAN = `
  read -r _
  kill -QUIT "$1" 2>/dev/null
  # Not "kill -0": where nobody waits for orphans, an ended process keeps its id.
  while [ -e "/proc/$1/exe" ]; do sleep 0.05; done
  rm -rf "$2"`;

const MEMORY_NEEDED_BYTES = 1_000_000_000;

/** One server a process: it takes a second to make and serves every test of the process. */
let server: Promise<string> | undefined;

/** The superuser's connection string of the server for tests: `METERKEEP_TEST_DATABASE_URL`, or one launched on first use. */
export function testServerUrl(): Promise<string> {
  const given = process.env["METERKEEP_TEST_DATABASE_URL"];
  if (given !== undefined && given !== "") return Promise.resolve(given);
  server ??= launchForTests();
  return server;
}

async function launchForTests(): Promise<string> {
  // In memory making a database takes 20 ms instead of up to 300.
  const directory = mkdtempSync(`${memoryDirectory(MEMORY_NEEDED_BYTES) ?? tmpdir()}/meterkeep-test-`);
  chmodSync(directory, 0o711);
  const { pid, adminUrl } = await launchEmbedded({
    stateDirectory: `${directory}/postgres`,
    socketDirectory: `${directory}/run`,
    log: () => undefined,
    durable: false,
  });
  guard(pid, directory);
  return adminUrl;
}

function guard(pid: number, directory: string): ChildProcess {
  const guardian = spawn("/bin/sh", ["-c", GUARDIAN, "guardian", String(pid), directory], {
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guardian.unref();
  (guardian.stdin as Socket).unref();
  return guardian;
}
