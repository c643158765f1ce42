import type { Socket } from "node:net";
import { type ApduConnection, TransportError, type TrunkTarget, WrapperTrunk } from "@meterkeep/dlms-node";

/** What the world may hold of us, and we of it. */
export interface CallLimits {
  /** Connections that belong to a meter. */
  readonly bound: number;
  /** Connections that have proven nothing yet: in all, and of one address. */
  readonly unknown: number;
  readonly unknownPerAddress: number;
  /** How long a connection may prove nothing. */
  readonly identifySeconds: number;
  /** Notifications that a connection may send before one of them is authenticated. */
  readonly unknownNotifications: number;
  /** Between probes of an open connection. */
  readonly keepAliveSeconds: number;
  /** Silence after which a meter's connection is ended. */
  readonly idleSeconds: number;
}

export const CALL_LIMITS: CallLimits = {
  bound: 5_000,
  unknown: 1_024,
  unknownPerAddress: 32,
  identifySeconds: 30,
  unknownNotifications: 8,
  keepAliveSeconds: 110,
  idleSeconds: 3_600,
};

/** A notification that came over a call. */
export interface CallNotification {
  readonly apdu: Uint8Array;
  readonly address: string;
  /** To be called when the custodian has opened it as authenticated and new, and only then. */
  readonly authenticated: (title: string) => void;
}

export interface CallPorts {
  /** Takes what came, as any push. */
  take(notification: CallNotification): void;
  /** A connection belongs to a meter from now on. */
  onBound(title: string, address: string): void;
  /** A meter is wanted that has not called. */
  onWanted(title: string): void;
}

/** One connection that somebody made to us. */
interface Call {
  readonly socket: Socket;
  readonly trunk: WrapperTrunk;
  readonly address: string;
  title: string | undefined;
  notifications: number;
}

/**
 * The connections that meters have made to us, and keep.
 *
 * States of a connection: *unknown*, until a notification that came over it has been authenticated, and not for long;
 * *bound* to one meter, from then on; *ended*. A newer connection of a meter ends the older one when it is bound, not before.
 */
export class Calls implements Disposable {
  readonly #ports: CallPorts;
  readonly #limits: CallLimits;
  readonly #bound = new Map<string, Call>();
  readonly #unknown = new Map<Call, NodeJS.Timeout>();

  constructor(ports: CallPorts, limits: CallLimits = CALL_LIMITS) {
    this.#ports = ports;
    this.#limits = limits;
  }

  /** How many connections there are. */
  get counts(): { readonly bound: number; readonly unknown: number } {
    return { bound: this.#bound.size, unknown: this.#unknown.size };
  }

  /** Takes a connection that somebody has made, or ends it at once where there are too many that have proven nothing. */
  accept(socket: Socket): void {
    const { unknown, unknownPerAddress, identifySeconds, keepAliveSeconds } = this.#limits;
    const address = socket.remoteAddress ?? "";
    socket.on("error", ignore);
    if (this.#unknown.size >= unknown || this.#unknownOf(address) >= unknownPerAddress) {
      socket.destroy();
      return;
    }
    socket.setKeepAlive(true, keepAliveSeconds * 1000);
    const call: Call = {
      socket,
      trunk: this.#trunkOf(socket, address, () => call),
      address,
      title: undefined,
      notifications: 0,
    };
    this.#unknown.set(
      call,
      setTimeout(() => call.trunk.close("it has not said who it is"), identifySeconds * 1000),
    );
  }

  /**
   * Begins a conversation with a meter over the connection that it has made.
   *
   * @throws TransportError `connection-failed` where it has not called, `exchange-busy`.
   */
  open(title: string, target: TrunkTarget): ApduConnection {
    const call = this.#bound.get(title);
    if (call === undefined) {
      this.#ports.onWanted(title);
      throw new TransportError("connection-failed", `meter ${title} has not called`);
    }
    return endingWith(call.trunk.open(target), call.trunk);
  }

  isBound(title: string): boolean {
    return this.#bound.has(title);
  }

  [Symbol.dispose](): void {
    for (const call of [...this.#unknown.keys(), ...this.#bound.values()]) call.trunk.close();
  }

  #trunkOf(socket: Socket, address: string, self: () => Call): WrapperTrunk {
    return new WrapperTrunk(socket, {
      where: `the meter that called from ${address}`,
      onUnsolicited: (apdu) => this.#heard(self(), apdu),
      onClose: () => this.#ended(self()),
    });
  }

  #heard(call: Call, apdu: Uint8Array): void {
    if (call.title === undefined) {
      call.notifications += 1;
      if (call.notifications > this.#limits.unknownNotifications) {
        call.trunk.close("it has sent much and proven nothing");
        return;
      }
    }
    const authenticated = (title: string): void => this.#bind(call, title);
    this.#ports.take({ apdu, address: call.address, authenticated });
  }

  #bind(call: Call, title: string): void {
    if (call.title === title || !call.trunk.isOpen) return;
    const older = this.#bound.get(title);
    // A connection is one meter's: what is behind it with another name has a concentrator's certificate to show.
    const isOfTwo = call.title !== undefined;
    if (isOfTwo || (older === undefined && this.#bound.size >= this.#limits.bound)) {
      call.trunk.close(isOfTwo ? "it speaks for two meters" : "there are too many connections");
      return;
    }
    this.#known(call);
    call.title = title;
    this.#bound.set(title, call);
    older?.trunk.close(`meter ${title} has connected anew`);
    call.socket.setTimeout(this.#limits.idleSeconds * 1000, () => call.trunk.close("it has been silent"));
    this.#ports.onBound(title, call.address);
  }

  #ended(call: Call): void {
    this.#known(call);
    if (call.title !== undefined && this.#bound.get(call.title) === call) this.#bound.delete(call.title);
  }

  #known(call: Call): void {
    clearTimeout(this.#unknown.get(call));
    this.#unknown.delete(call);
  }

  #unknownOf(address: string): number {
    let count = 0;
    for (const call of this.#unknown.keys()) if (call.address === address) count += 1;
    return count;
  }
}

const ignore = (): void => undefined;

/** A line whose exchange was given up ends its connection: a late answer would be taken for the next one's. */
function endingWith(line: ApduConnection, trunk: WrapperTrunk): ApduConnection {
  return {
    line: line.line,
    exchange: async (apdu, signal) => {
      try {
        return await line.exchange(apdu, signal);
      } catch (error) {
        const code = error instanceof TransportError ? error.code : undefined;
        if (code === "response-timeout" || code === "exchange-aborted") trunk.close("an answer did not come in time");
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => line[Symbol.asyncDispose](),
  };
}
