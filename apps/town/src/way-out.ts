import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { encodeGateway, fromHex } from "@meterkeep/dlms";
import { sendPush } from "@meterkeep/dlms-node";

/** Where a meter's line ends that is behind a concentrator, and what it is called there. */
interface Behind {
  readonly host: string;
  readonly port: number;
  readonly networkId: number;
  readonly physicalAddress: Uint8Array;
}

/** A push, and where its meter sends it. */
export interface Leaving {
  readonly systemTitle: string;
  readonly apdu: Uint8Array;
  readonly transport: "tcp" | "udp";
  /** `host:port`. */
  readonly destination: string;
}

/**
 * Wrapper ports of pushes: the logical device, and the client of the pre-established association. With the management
 * client's they would be taken for answers where that one has a session over the same connection.
 */
export const PUSH_SAPS = { sourceSap: 1, destinationSap: 102 } as const;

/**
 * The way of pushes out of the town: over the line of the meter itself, or over the one line that a meter behind a
 * concentrator has, whatever the destination is called that it sends to. Who is behind which one stands in
 * concentrators.json, which is read again when it has changed.
 */
export class WayOut {
  readonly #file: string;
  #stamp = "";
  #behind: ReadonlyMap<string, Behind> = new Map();

  constructor(exchangeDirectory: string) {
    this.#file = join(exchangeDirectory, "concentrators.json");
  }

  /** Resolves when the octets have left. @throws TransportError when nobody takes them */
  async send({ systemTitle, apdu, transport, destination }: Leaving): Promise<void> {
    await this.#look();
    const behind = this.#behind.get(systemTitle);
    if (behind === undefined) {
      const [host = "", port] = destination.split(":");
      return sendPush(apdu, { transport, host, port: Number(port), ...PUSH_SAPS });
    }
    const { host, port, networkId, physicalAddress } = behind;
    const named = encodeGateway({ kind: "response", networkId, physicalAddress, apdu });
    return sendPush(named, { transport: "tcp", host, port, ...PUSH_SAPS });
  }

  async #look(): Promise<void> {
    const found = await stat(this.#file).catch(() => undefined);
    const stamp = found === undefined ? "" : `${found.mtimeMs} ${found.ino}`;
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    this.#behind = found === undefined ? new Map() : parse(await readFile(this.#file, "utf8"));
  }
}

function parse(text: string): ReadonlyMap<string, Behind> {
  const { concentrators } = JSON.parse(text) as {
    readonly concentrators: readonly {
      readonly host: string;
      readonly pushPort?: number;
      readonly meters: readonly { systemTitle: string; networkId: number; physicalAddress: string }[];
    }[];
  };
  return new Map(
    concentrators.flatMap(({ host, pushPort: port, meters }) =>
      port === undefined
        ? []
        : meters.map(({ systemTitle, networkId, physicalAddress }) => [
            systemTitle,
            { host, port, networkId, physicalAddress: fromHex(physicalAddress) },
          ]),
    ),
  );
}
