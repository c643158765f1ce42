import type { Duplex } from "node:stream";
import type { GatewayAddress } from "@meterkeep/dlms";
import { type ApduConnection, TransportError, type TrunkTarget, WrapperTrunk } from "@meterkeep/dlms-node";

/** A data concentrator that we connect to. */
export interface ConcentratorPlace {
  /** The common name of its certificate. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** A connection on which a concentrator has proven its certificate. */
export interface ConcentratorLink {
  readonly stream: Duplex;
  /** Whether the certificate that it proved still stands, as the registry has it. */
  stands(): Promise<boolean>;
}

export interface ConcentratorPorts {
  /** Connects with certificates on both sides. @throws TransportError */
  connect(place: ConcentratorPlace, signal: AbortSignal): Promise<ConcentratorLink>;
  /** Something that nobody asked for came from behind a concentrator. */
  onUnsolicited(concentrator: string, apdu: Uint8Array, meter: GatewayAddress | undefined): void;
  /** A connection is up (`undefined`), or why it is not any more. */
  onState(concentrator: string, error: Error | undefined): void;
  now(): number;
}

/** After a connection that failed, nobody tries again for so long: a hundred meters need not find out one by one. */
const PAUSE_MILLISECONDS = 5_000;
/** How often it is asked whether certificates of open connections still stand. */
const CHECK_MILLISECONDS = 60_000;

/**
 * The connections to data concentrators: one each, which all its meters share. It is made when the first session needs it
 * and stays; when it is lost, every session on it fails and the next one connects anew.
 *
 * States of a concentrator: *unknown*; *away*, since its last attempt; *connecting*; *up*, until the line ends or its
 * certificate does not stand any more.
 */
export class Concentrators implements AsyncDisposable {
  readonly #ports: ConcentratorPorts;
  readonly #closing = new AbortController();
  readonly #places = new Map<string, ConcentratorPlace>();
  readonly #trunks = new Map<string, Promise<WrapperTrunk>>();
  readonly #failed = new Map<string, { readonly at: number; readonly error: unknown }>();

  constructor(ports: ConcentratorPorts) {
    this.#ports = ports;
  }

  /** Says where concentrators are; a connection to one that has moved goes on until it ends. */
  place(places: readonly ConcentratorPlace[]): void {
    for (const place of places) {
      const { name, host, port } = place;
      const before = this.#places.get(name);
      if (before?.host !== host || before.port !== port) this.#failed.delete(name);
      this.#places.set(name, place);
    }
  }

  /**
   * Begins a conversation with a meter behind a concentrator.
   *
   * @throws TransportError `connection-failed` or `connect-timeout` where the concentrator is not reached or its
   * certificate does not stand, `exchange-busy` where the meter is spoken with already, `exchange-aborted`.
   */
  async open(name: string, target: TrunkTarget, signal: AbortSignal): Promise<ApduConnection> {
    const trunk = await this.#trunkTo(name);
    if (signal.aborted)
      throw new TransportError("exchange-aborted", `connecting to ${name} was cancelled`, { cause: signal.reason });
    return trunk.open(target);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const trunks = await Promise.allSettled(this.#trunks.values());
    for (const trunk of trunks) if (trunk.status === "fulfilled") await trunk.value[Symbol.asyncDispose]();
  }

  #trunkTo(name: string): Promise<WrapperTrunk> {
    const open = this.#trunks.get(name);
    if (open !== undefined) return open;
    const failed = this.#failed.get(name);
    if (failed !== undefined && this.#ports.now() - failed.at < PAUSE_MILLISECONDS) return Promise.reject(failed.error);
    const connecting = this.#connect(name);
    this.#trunks.set(name, connecting);
    connecting.then(
      () => this.#failed.delete(name),
      (error: unknown) => {
        this.#trunks.delete(name);
        this.#failed.set(name, { at: this.#ports.now(), error });
        this.#ports.onState(name, error as Error);
      },
    );
    return connecting;
  }

  async #connect(name: string): Promise<WrapperTrunk> {
    const place = this.#places.get(name);
    if (place === undefined)
      throw new TransportError("connection-failed", `nobody has told where the concentrator ${name} is`);
    const link = await this.#ports.connect(place, this.#closing.signal);
    if (!(await this.#stands(link))) {
      link.stream.destroy();
      throw new TransportError("connection-failed", `the certificate of the concentrator ${name} does not stand`);
    }
    const trunk = new WrapperTrunk(link.stream, {
      where: `concentrator ${name}`,
      onUnsolicited: (apdu, meter) => this.#ports.onUnsolicited(name, apdu, meter),
      onClose: (reason) => {
        clearInterval(checking);
        this.#trunks.delete(name);
        this.#ports.onState(name, reason);
      },
    });
    const checking = setInterval(() => void this.#check(name, link, trunk), CHECK_MILLISECONDS);
    checking.unref();
    this.#ports.onState(name, undefined);
    return trunk;
  }

  async #check(name: string, link: ConcentratorLink, trunk: WrapperTrunk): Promise<void> {
    if (!(await this.#stands(link))) trunk.close(`the certificate of the concentrator ${name} does not stand any more`);
  }

  /** A registry that cannot be asked vouches for nobody. */
  async #stands(link: ConcentratorLink): Promise<boolean> {
    try {
      return await link.stands();
    } catch {
      return false;
    }
  }
}
