import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { Handles } from "../calls/handles.ts";

const MOST_UPLOADS = 8;
/** All uploads together: a shipment of two million meters fits, and a caller cannot fill the disk the ledger is on. */
export const MOST_UPLOAD_BYTES = 4 * 1024 ** 3;
const IDLE_MILLISECONDS = 10 * 60_000;

interface Upload {
  readonly caller: Caller;
  readonly place: { readonly utility: string; readonly island: string };
  readonly path: string;
  readonly file: FileHandle;
  bytes: number;
  /** Chunks are written one after the other. */
  writing: Promise<void>;
}

/**
 * Shipments on their way in, spooled to a folder of the custodian's own: they are sealed, and memory stays flat however
 * large they are.
 */
export class Uploads {
  readonly #folder: string;
  readonly #now: () => number;
  readonly #mostBytes: number;
  readonly #uploads = new Handles<Upload>();
  /** Uploads whose file is being made: they count, or requests that come at once would all find room. */
  #beginning = 0;
  /** Octets of all uploads that are on the disk, or about to be. */
  #bytes = 0;

  constructor(folder: string, now: () => number, mostBytes = MOST_UPLOAD_BYTES) {
    this.#folder = folder;
    this.#now = now;
    this.#mostBytes = mostBytes;
  }

  /** Makes the folder and removes what a former process has left there. */
  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#folder)) await rm(join(this.#folder, name), { force: true });
  }

  async begin(place: Upload["place"], caller: Caller): Promise<string> {
    await this.sweep();
    if (this.#uploads.size + this.#beginning >= MOST_UPLOADS)
      throw new CallRefusal("too-many-open", `${MOST_UPLOADS} uploads are open`);
    this.#beginning += 1;
    try {
      const path = join(this.#folder, `${randomBytes(12).toString("hex")}.mks`);
      const file = await open(path, "wx", 0o600);
      const upload: Upload = {
        caller,
        place,
        path,
        file,
        bytes: 0,
        writing: Promise.resolve(),
      };
      return this.#uploads.add(upload, this.#now());
    } finally {
      this.#beginning -= 1;
    }
  }

  /** Appends a chunk; gives how many octets have come. */
  async append(handle: string, bytes: Uint8Array, caller: Caller): Promise<number> {
    const upload = this.#find(handle, caller);
    if (this.#bytes + bytes.length > this.#mostBytes) {
      await this.#remove(handle, upload);
      throw new CallRefusal("upload-too-large", `uploads have at most ${this.#mostBytes} octets, all together`);
    }
    upload.bytes += bytes.length;
    this.#bytes += bytes.length;
    upload.writing = upload.writing.then(() => upload.file.appendFile(bytes));
    await upload.writing;
    return upload.bytes;
  }

  /** Reads what was uploaded, and removes it when `read` is done. */
  async finish<T>(
    handle: string,
    caller: Caller,
    read: (chunks: AsyncIterable<Uint8Array>, place: Upload["place"]) => Promise<T>,
  ): Promise<T> {
    const upload = this.#find(handle, caller);
    this.#uploads.remove(handle);
    try {
      await upload.writing;
      return await read(createReadStream(upload.path) as AsyncIterable<Uint8Array>, upload.place);
    } finally {
      await this.#remove(handle, upload);
    }
  }

  /** Removes what nobody has gone on with. */
  async sweep(): Promise<void> {
    for (const [handle, upload] of this.#uploads.idleSince(this.#now() - IDLE_MILLISECONDS))
      await this.#remove(handle, upload);
  }

  async closeAll(): Promise<void> {
    for (const [handle, upload] of [...this.#uploads.entries()]) await this.#remove(handle, upload);
  }

  #find(handle: string, caller: Caller): Upload {
    const upload = this.#uploads.find(handle, caller, this.#now());
    if (upload === undefined) throw new CallRefusal("upload-unknown", "no such upload is open for this principal");
    return upload;
  }

  async #remove(handle: string, upload: Upload): Promise<void> {
    this.#uploads.remove(handle);
    await upload.writing.catch(() => undefined);
    await upload.file.close().catch(() => undefined);
    await rm(upload.path, { force: true });
    // Once, whoever calls: an upload that is being imported may be swept in the meantime.
    this.#bytes -= upload.bytes;
    upload.bytes = 0;
  }
}
