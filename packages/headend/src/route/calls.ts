import type { Socket } from "node:net";
import { type ApduConnection, TransportError, type TrunkTarget, WrapperTrunk } from "@meterkeep/dlms-node";
import type { MeterLine } from "../session/line.ts";
import type { NetworkFacts } from "./networks.ts";

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
  /** How long a connection with a certificate may prove nothing: a session with it has to find its turn. */
  readonly proveSeconds: number;
  /** Between two looks at whether the certificates of open connections still stand. */
  readonly checkSeconds: number;
}

export const CALL_LIMITS: CallLimits = {
  bound: 5_000,
  unknown: 1_024,
  unknownPerAddress: 32,
  identifySeconds: 30,
  unknownNotifications: 8,
  proveSeconds: 600,
  checkSeconds: 900,
};

/** A notification that came over a call. */
export interface CallNotification {
  readonly apdu: Uint8Array;
  readonly address: string;
  /** To be called when the custodian has opened it as authenticated and new, and only then. */
  readonly authenticated: (title: string) => void;
}

/** The certificate that a caller has proven to have, on a connection of mutual TLS. */
export interface CallCertificate {
  /** The system title that it names. */
  readonly title: string;
  /** Whether it stands, as the registry has it. */
  stands(): Promise<boolean>;
}

export interface CallPorts {
  /** Takes what came, as any push. */
  take(notification: CallNotification): void;
  /** A connection names a meter by its certificate: a session over it shows whether it is the one. */
  onClaimed(title: string): void;
  /** A connection belongs to a meter from now on. */
  onBound(title: string, address: string): void;
  /** A meter is wanted that has not called. */
  onWanted(title: string): void;
  /** What a meter is attached over. */
  networkOf(title: string): Pick<NetworkFacts, "keepAliveSeconds" | "idleSeconds">;
}

/** One connection that somebody made to us. */
interface Call {
  readonly socket: Socket;
  readonly trunk: WrapperTrunk;
  readonly address: string;
  readonly certificate: CallCertificate | undefined;
  title: string | undefined;
  notifications: number;
}

/**
 * The connections that meters have made to us, and keep.
 *
 * States of a connection: *unknown*, until something authenticated came over it, and not for long; *claimed*, where a
 * certificate that stands names a meter: sessions with that meter may be tried over it; *bound* to one meter, with its first
 * authenticated notification or the first authenticated answer of a session; *ended*. A certificate is whoever has the
 * modem, so it binds nothing, but nobody else's connection can be bound to another meter than its certificate names. A newer
 * connection of a meter ends the older one when it is bound, not before.
 */
export class Calls implements Disposable {
  readonly #ports: CallPorts;
  readonly #limits: CallLimits;
  readonly #bound = new Map<string, Call>();
  readonly #claimed = new Map<string, Call>();
  /** Those that are not bound, with the end of their time. */
  readonly #unproven = new Map<Call, NodeJS.Timeout>();
  readonly #checking: NodeJS.Timeout;

  constructor(ports: CallPorts, limits: CallLimits = CALL_LIMITS) {
    this.#ports = ports;
    this.#limits = limits;
    this.#checking = setInterval(() => void this.#check(), limits.checkSeconds * 1000);
    this.#checking.unref();
  }

  /** How many connections there are. */
  get counts(): { readonly bound: number; readonly claimed: number; readonly unknown: number } {
    const claimed = this.#claimed.size;
    return { bound: this.#bound.size, claimed, unknown: this.#unproven.size - claimed };
  }

  /** Takes a connection that somebody has made, or ends it at once where there are too many that have proven nothing. */
  accept(socket: Socket, certificate?: CallCertificate): void {
    const { unknown, unknownPerAddress, identifySeconds } = this.#limits;
    const address = socket.remoteAddress ?? "";
    socket.on("error", ignore);
    if (this.counts.unknown >= unknown || this.#unknownOf(address) >= unknownPerAddress) {
      socket.destroy();
      return;
    }
    const call: Call = {
      socket,
      trunk: this.#trunkOf(socket, address, () => call),
      address,
      certificate,
      title: undefined,
      notifications: 0,
    };
    this.#wait(call, identifySeconds);
    if (certificate !== undefined) void this.#claim(call, certificate);
  }

  /**
   * Begins a conversation with a meter over the connection that it has made, or over one whose certificate names it.
   *
   * @throws TransportError `connection-failed` where it has not called, `exchange-busy`.
   */
  open(title: string, target: TrunkTarget): MeterLine {
    const [bound, claimed] = [this.#bound.get(title), this.#claimed.get(title)];
    // A meter that calls again has lost its line, and may not know of the older one that it is dead.
    const call = claimed ?? bound;
    if (call === undefined) {
      this.#ports.onWanted(title);
      throw new TransportError("connection-failed", `meter ${title} has not called`);
    }
    const line = endingWith(call.trunk.open(target), call.trunk);
    return {
      exchange: line.exchange,
      proven: () => this.#bind(call, title),
      [Symbol.asyncDispose]: async () => {
        await line[Symbol.asyncDispose]();
        // A claim beside a connection that has been proven is tried once.
        if (bound !== undefined && call.title === undefined) call.trunk.close("it has not proven who it is");
      },
    };
  }

  isBound(title: string): boolean {
    return this.#bound.has(title);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#checking);
    for (const call of [...this.#unproven.keys(), ...this.#bound.values()]) call.trunk.close();
  }

  #trunkOf(socket: Socket, address: string, self: () => Call): WrapperTrunk {
    return new WrapperTrunk(socket, {
      where: `the meter that called from ${address}`,
      onUnsolicited: (apdu) => this.#heard(self(), apdu),
      onClose: () => this.#ended(self()),
    });
  }

  async #claim(call: Call, certificate: CallCertificate): Promise<void> {
    if (!(await stands(certificate))) {
      call.trunk.close("its certificate does not stand");
      return;
    }
    if (!call.trunk.isOpen || call.title !== undefined) return;
    const { title } = certificate;
    const older = this.#claimed.get(title);
    this.#claimed.set(title, call);
    older?.trunk.close(`another connection claims to be meter ${title}`);
    this.#wait(call, this.#limits.proveSeconds);
    this.#ports.onClaimed(title);
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
    const isOfTwo = (call.title ?? call.certificate?.title ?? title) !== title;
    if (isOfTwo || (older === undefined && this.#bound.size >= this.#limits.bound)) {
      call.trunk.close(isOfTwo ? "it speaks for two meters" : "there are too many connections");
      return;
    }
    this.#forget(call);
    call.title = title;
    this.#bound.set(title, call);
    older?.trunk.close(`meter ${title} has connected anew`);
    const { keepAliveSeconds, idleSeconds } = this.#ports.networkOf(title);
    call.socket.setKeepAlive(true, keepAliveSeconds * 1000);
    call.socket.setTimeout(idleSeconds * 1000, () => call.trunk.close("it has been silent"));
    this.#ports.onBound(title, call.address);
  }

  /** One after the other: the registry is asked for a fleet's certificates without haste. */
  async #check(): Promise<void> {
    for (const call of [...this.#bound.values(), ...this.#claimed.values()])
      if (call.certificate !== undefined && call.trunk.isOpen && !(await stands(call.certificate)))
        call.trunk.close("its certificate does not stand any more");
  }

  #ended(call: Call): void {
    this.#forget(call);
    if (call.title !== undefined && this.#bound.get(call.title) === call) this.#bound.delete(call.title);
  }

  #wait(call: Call, seconds: number): void {
    clearTimeout(this.#unproven.get(call));
    this.#unproven.set(
      call,
      setTimeout(() => call.trunk.close("it has not proven who it is"), seconds * 1000),
    );
  }

  #forget(call: Call): void {
    clearTimeout(this.#unproven.get(call));
    this.#unproven.delete(call);
    const { title } = call.certificate ?? {};
    if (title !== undefined && this.#claimed.get(title) === call) this.#claimed.delete(title);
  }

  #unknownOf(address: string): number {
    let count = 0;
    for (const call of this.#unproven.keys())
      if (call.address === address && this.#claimed.get(call.certificate?.title ?? "") !== call) count += 1;
    return count;
  }
}

/** A registry that cannot be asked vouches for nobody. */
async function stands(certificate: CallCertificate): Promise<boolean> {
  try {
    return await certificate.stands();
  } catch {
    return false;
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
