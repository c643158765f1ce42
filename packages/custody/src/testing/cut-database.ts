import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Messages by which a program asks its database to do something: a simple query, and the end of an extended one. */
const ASKS: ReadonlySet<number> = new Set([0x51, 0x53]);
const HEADER_BYTES = 5;

/**
 * A way to a database that ends where a test says, as a process ends that is killed between two statements, or as a connection ends that a
 * firewall has forgotten.
 */
export interface CutDatabase extends AsyncDisposable {
  /** The connection string by this way. */
  through(url: string): string;
  /** Statements that have passed. */
  readonly passed: number;
  /** From now on none passes after so many, and every connection is broken; undefined lets all pass. */
  cutAfter(statements: number | undefined): void;
  /** The connection that asks after so many is silent from then on: nothing passes, and neither end hears that the other's has come. */
  silenceAfter(statements: number): void;
}

/** Opens one to the server of a connection string. */
export async function cutDatabase(server: string): Promise<CutDatabase> {
  const folder = mkdtempSync(join(tmpdir(), "mk-cut-"));
  const { searchParams, hostname, port } = new URL(server);
  const directory = searchParams.get("host");
  const number = port === "" ? 5432 : Number(port);
  const target = directory?.startsWith("/") === true ? { path: join(directory, `.s.PGSQL.${number}`) } : undefined;
  const open = new Set<Socket>();
  let passed = 0;
  let most: number | undefined;
  let heard: number | undefined;
  const breakAll = (): void => {
    for (const socket of open) socket.destroy();
  };
  const listener = createServer((near) => {
    if (most !== undefined && passed >= most) {
      near.destroy();
      return;
    }
    const far = connect(target ?? { host: hostname, port: number });
    let isSilent = false;
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        open.delete(socket);
        if (isSilent) return;
        near.destroy();
        far.destroy();
      });
    }
    far.on("data", (octets: Buffer) => {
      if (!isSilent) near.write(octets);
    });
    let [held, isStarted] = [Buffer.alloc(0), false];
    near.on("data", (octets: Buffer) => {
      if (isSilent) return;
      held = Buffer.concat([held, octets]);
      for (;;) {
        // The first message has no type.
        const header = isStarted ? HEADER_BYTES : HEADER_BYTES - 1;
        if (held.length < header) return;
        const end = header - 4 + held.readUInt32BE(header - 4);
        if (held.length < end) return;
        if (isStarted && ASKS.has(held[0] as number)) {
          if (most !== undefined && passed >= most) {
            breakAll();
            return;
          }
          if (passed === heard) {
            [isSilent, heard] = [true, undefined];
            return;
          }
          passed += 1;
        }
        isStarted = true;
        far.write(held.subarray(0, end));
        held = held.subarray(end);
      }
    });
  });
  await new Promise<void>((resolve) => listener.listen(join(folder, `.s.PGSQL.${number}`), resolve));
  return {
    through: (url) => {
      const changed = new URL(url);
      changed.hostname = "localhost";
      changed.searchParams.set("host", folder);
      return changed.href;
    },
    get passed() {
      return passed;
    },
    cutAfter: (statements) => {
      [passed, most] = [0, statements];
    },
    silenceAfter: (statements) => {
      [passed, heard] = [0, statements];
    },
    [Symbol.asyncDispose]: async () => {
      breakAll();
      await new Promise((resolve) => listener.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
