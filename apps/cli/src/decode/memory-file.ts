import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createTelegramMemory, type KeptTelegramMemory, parseTelegramMemory } from "@meterkeep/dlms";
import { CliError } from "../error.ts";

/** A memory of telegrams in a file (docs/formats/telegram-memory.md). */
export interface MemoryFile {
  readonly memory: KeptTelegramMemory;
  /** Writes the file anew, all of it or not at all. */
  save(): void;
}

/** Opens a memory file; one that is not there yet is an empty memory. @throws CliError `memory-file-invalid`. */
export function openMemoryFile(path: string): MemoryFile {
  const memory = createTelegramMemory(readSnapshot(path));
  return {
    memory,
    save() {
      const temporary = `${path}.${process.pid}.tmp`;
      writeFileSync(temporary, `${JSON.stringify(memory.snapshot(), undefined, 1)}\n`, { mode: 0o600 });
      renameSync(temporary, path);
    },
  };
}

function readSnapshot(path: string) {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new CliError("memory-file-invalid", `${path}: ${(cause as Error).message}`, { cause });
  }
  try {
    return parseTelegramMemory(JSON.parse(text));
  } catch (cause) {
    throw new CliError("memory-file-invalid", `${path}: ${(cause as Error).message}`, { cause });
  }
}
