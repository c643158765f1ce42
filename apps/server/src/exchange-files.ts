import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

/** The files that other processes and people put into the exchange directory. */
export class ExchangeFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The text of a file, or undefined while it is not there. */
  async text(name: string): Promise<string | undefined> {
    return (await this.octets(name))?.toString("utf8");
  }

  async octets(name: string): Promise<Buffer | undefined> {
    try {
      return await readFile(join(this.#directory, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** The files of a folder with an ending, in the order of their names: `shipments/a.mks`. */
  async list(folder: string, ending: string): Promise<readonly string[]> {
    const names = await readdir(join(this.#directory, folder)).catch(() => []);
    return names
      .filter((name) => name.endsWith(ending))
      .sort()
      .map((name) => `${folder}/${name}`);
  }

  /** Changes whenever the file is written anew; `absent` while it is not there. */
  async stamp(name: string): Promise<string> {
    const facts = await stat(join(this.#directory, name)).catch(() => undefined);
    return facts === undefined ? "absent" : `${facts.ino} ${facts.mtimeMs} ${facts.size}`;
  }
}
