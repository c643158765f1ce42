import { constants } from "node:fs";
import { type FileHandle, mkdir } from "node:fs/promises";
import { Turn } from "@meterkeep/dlms";
import { openRegularFile } from "../vault/regular-file.ts";
import type { Vault } from "../vault/vault.ts";
import { boundText, type JournalLine, journalLines } from "./journal-line.ts";

/** Where a journal ended once: whoever has kept it knows of every line up to there. */
export interface JournalHead {
  /** The number of its last line: as many as had been written. */
  readonly lines: number;
  /** The MAC of that line, base64: it stands for all before it. */
  readonly link: string;
  /** Where that line begins, in octets from the beginning of the file. */
  readonly from: number;
}

/** A place at which lines are gone, or not in their order. */
export interface JournalBreak {
  /** The line of the file, from 1. */
  readonly line: number;
  /** The number that it should have, and the one it has. */
  readonly expected: number;
  readonly found: number;
  /** Tells this break from every other one. */
  readonly mark: string;
}

/** Lines that only the vault's owner can have written, in a file that only grows. */
export interface AuthenticJournal<T> {
  /** Durable when the promise is kept. */
  append(...lines: readonly T[]): Promise<void>;
  /**
   * Everything that stood there when the reading began, whose line is whole and was written by this vault; the others are told
   * by their number, and so is where lines are gone or moved, unless somebody hears of breaks. Who writes for each line that is
   * read comes to an end. What follows a head that it holds, where one is given.
   */
  read(
    onStrange: (line: number) => void,
    onBreak?: (broken: JournalBreak) => void,
    after?: JournalHead,
  ): AsyncGenerator<T>;
}

/** A journal that can say where it ends, for somebody to keep elsewhere: who cuts off its last lines is found out by that. */
export interface HeadedJournal<T> extends AuthenticJournal<T> {
  /** Undefined while it has no line. */
  head(): Promise<JournalHead | undefined>;
  /** Whether all that it held when it ended there, it holds now in that place. */
  holds(head: JournalHead): Promise<boolean>;
}

/** Where a journal is. */
export interface JournalPlace {
  /** That of the escrow, which should lie on other storage than the database. */
  readonly directory: string;
  readonly file: string;
  /** Tells its lines from those of other journals. */
  readonly domain: string;
  /** Where it ended once: where that is still there, opening reads only what follows. */
  readonly kept?: JournalHead | undefined;
}

/** How far a journal was followed. */
interface Followed {
  /** The number and the link that the next line follows. */
  readonly lines: number;
  readonly link: string;
  /** Where the last line begins; undefined while there is none. */
  readonly from: number | undefined;
  /** What was read, in octets. */
  readonly octets: number;
}

const NOTHING: Followed = { lines: 0, link: Buffer.alloc(32).toString("base64"), from: undefined, octets: 0 };

/**
 * A file with one line of JSON each: a MAC of the vault over its number, the MAC of the line before it, and what it says. So
 * nobody who can write there says anything, takes a line out, or moves one, unnoticed.
 */
export async function openAuthenticJournal<T>(
  place: JournalPlace,
  vault: Pick<Vault, "authenticate">,
): Promise<HeadedJournal<T>> {
  await mkdir(place.directory, { recursive: true, mode: 0o700 });
  const journal = new FileJournal<T>(`${place.directory}/${place.file}`, place.domain, vault);
  await journal.open(place.kept);
  // A port: whoever puts something before it takes its members one by one.
  return {
    append: (...lines) => journal.append(...lines),
    read: (onStrange, onBreak, after) => journal.read(onStrange, onBreak, after),
    head: () => journal.head(),
    holds: (head) => journal.holds(head),
  };
}

class FileJournal<T> implements HeadedJournal<T> {
  readonly #path: string;
  readonly #domain: string;
  readonly #vault: Pick<Vault, "authenticate">;
  #end = NOTHING;
  readonly #turn = new Turn();

  constructor(path: string, domain: string, vault: Pick<Vault, "authenticate">) {
    this.#path = path;
    this.#domain = domain;
    this.#vault = vault;
  }

  async open(kept: JournalHead | undefined): Promise<void> {
    await this.#inTurn(async (handle) => {
      const line = kept && (await this.#lineAt(handle, kept));
      if (kept !== undefined && line !== undefined) this.#end = { ...kept, octets: line.end };
      await this.#catchUp(handle);
    });
  }

  append(...lines: readonly T[]): Promise<void> {
    return this.#inTurn(async (handle) => {
      await this.#catchUp(handle);
      let { lines: number, link, octets } = this.#end;
      let from = octets;
      const texts: string[] = [];
      for (const one of lines) {
        number += 1;
        const json = JSON.stringify(one);
        const [mac] = (await this.#macsOf([boundText(number, link, json)])) as [string];
        // A line that a dying machine cut short ends here: the next one stands alone.
        const text = `\n${mac} ${number} ${link} ${json}\n`;
        texts.push(text);
        from = octets + 1;
        octets += Buffer.byteLength(text);
        link = mac;
      }
      await handle.appendFile(texts.join(""));
      await handle.datasync();
      // Where somebody else wrote in between, the next one looks.
      if ((await handle.stat()).size === octets) this.#end = { lines: number, link, from, octets };
    });
  }

  async *read(
    onStrange: (line: number) => void,
    onBreak?: (broken: JournalBreak) => void,
    after?: JournalHead,
  ): AsyncGenerator<T> {
    const handle = await this.#opened();
    try {
      const { size } = await handle.stat();
      const line = after && (await this.#lineAt(handle, after));
      const start = after !== undefined && line !== undefined ? { ...after, octets: line.end } : NOTHING;
      for await (const { line, broken } of this.#follow(handle, start, size, onStrange)) {
        if (broken !== undefined) (onBreak ?? (() => onStrange(broken.line)))(broken);
        yield JSON.parse(line.json) as T;
      }
    } finally {
      await handle.close();
    }
  }

  head(): Promise<JournalHead | undefined> {
    return this.#inTurn(async (handle) => {
      await this.#catchUp(handle);
      const { lines, link, from } = this.#end;
      return from === undefined ? undefined : { lines, link, from };
    });
  }

  holds(head: JournalHead): Promise<boolean> {
    return this.#inTurn(async (handle) => (await this.#lineAt(handle, head)) !== undefined);
  }

  /** What was written since by others, or by an append that failed half-way. What was cut off is missed by whoever reads on. */
  async #catchUp(handle: FileHandle): Promise<void> {
    const { size } = await handle.stat();
    if (size > this.#end.octets)
      for await (const { followed } of this.#follow(handle, this.#end, size, () => undefined)) this.#end = followed;
    this.#end = { ...this.#end, octets: size };
  }

  /** Lines that this vault has written, each with how far the journal was followed, and with what is wrong before it. */
  async *#follow(handle: FileHandle, start: Followed, end: number, onStrange: (line: number) => void) {
    let followed = start;
    for await (const lines of journalLines(handle, start.octets, end)) {
      const macs = await this.#macsOf(lines.map(({ bound }) => bound));
      for (const [at, line] of lines.entries()) {
        const { number, previous, mac } = line;
        if (mac !== macs[at]) {
          onStrange(line.line);
          continue;
        }
        const expected = followed.lines + 1;
        const isNext = number === expected && previous === followed.link;
        const mark = `${followed.link} ${mac}`;
        const broken = isNext ? undefined : { line: line.line, expected, found: number, mark };
        // A line that was moved behind others is no end of the journal.
        if (number >= expected) followed = { lines: number, link: mac, from: line.from, octets: line.end };
        yield { line, followed, broken };
      }
    }
  }

  async #lineAt(handle: FileHandle, { lines, link, from }: JournalHead): Promise<JournalLine | undefined> {
    const { size } = await handle.stat();
    for await (const [line] of journalLines(handle, from, Math.min(size, from + MOST_OCTETS))) {
      if (line === undefined || line.from !== from || line.mac !== link || line.number !== lines) return;
      return (await this.#macsOf([line.bound]))[0] === link ? line : undefined;
    }
    return undefined;
  }

  async #macsOf(texts: readonly string[]): Promise<string[]> {
    const macs = await this.#vault.authenticate(texts.map((text) => Buffer.from(`${this.#domain}/${text}`)));
    return macs.map((mac) => Buffer.from(mac).toString("base64"));
  }

  /** One that was taken away is empty, which whoever has kept its head finds out. */
  #opened(): Promise<FileHandle> {
    return openRegularFile(this.#path, APPEND);
  }

  #inTurn<R>(act: (handle: FileHandle) => Promise<R>): Promise<R> {
    return this.#turn.run(async () => {
      const handle = await this.#opened();
      try {
        return await act(handle);
      } finally {
        await handle.close();
      }
    });
  }
}

const APPEND = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;
/** The longest line. */
const MOST_OCTETS = 1 << 20;
