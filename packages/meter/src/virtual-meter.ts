import { createSecretKey, type KeyObject } from "node:crypto";
import {
  aesMechanism,
  buildPush,
  type Connection,
  CosemServer,
  type DateTime,
  type Device,
  type DeviceModel,
  type MeterClock as DlmsClock,
  type ImageReceiver,
  type KeyPurpose,
  type MBusChannel,
  ObjectTree,
  pushBody,
  type ServerEvent,
  systemTitle,
} from "@meterkeep/dlms";
import { constantTimeEqual, nodeCiphers, nodeKeyWrap, nodeRandom } from "@meterkeep/dlms-node";
import type { TlsCredentials } from "./certificates/meter-certificates.ts";
import { type DepotOwner, DepotStay } from "./depot-stay.ts";
import { EventLogs } from "./event-log.ts";
import {
  type CertificateFault,
  type FaultScope,
  Faults,
  flipped,
  type KeyTransferFault,
  type LineFault,
} from "./faults.ts";
import { imageReceiver } from "./firmware-image.ts";
import { furtherSetups } from "./further-setups.ts";
import type { Consumption } from "./load/consumption.ts";
import { HomeConsumption } from "./load/home.ts";
import type { RelayTransition } from "./load/relay-history.ts";
import { type LocalOwner, LocalSessions } from "./local-sessions.ts";
import { mBusChannel } from "./m-bus.ts";
import { meterClock } from "./meter-clock.ts";
import type { MemoryChange, MeterMemory, StoredMeter } from "./nvm/memory.ts";
import type { MeterSettings } from "./nvm/settings.ts";
import { PortGuard } from "./port-guard.ts";
import type { CompanionProfile, MeterEvent } from "./profile/companion-profile.ts";
import { companionProfile } from "./profile/companion-profiles.ts";
import type { ProfileOwner } from "./profile/rows.ts";
import { type PushKind, PushSchedule } from "./push-schedule.ts";
import { type PushOwner, pushSettings } from "./push-setup.ts";
import { MeterSecurity, type SecurityOwner } from "./security.ts";
import { Supply, type SupplyOwner } from "./supply.ts";
import { MeterTariff } from "./tariff.ts";
import type { UnixSeconds } from "./time/calendar.ts";
import type { MeterClock } from "./time/town-clock.ts";
import { furtherSetupName, SECURITY_SETUP } from "./well-known.ts";

/** What a meter is put together from. */
export interface MeterParts {
  readonly stored: StoredMeter;
  readonly model: DeviceModel<VirtualMeter>;
  readonly consumption: Consumption;
  readonly clock: MeterClock;
  readonly memory: Pick<MeterMemory, "write">;
  /** `host:port` of the head-end's push port, unless a client sets another. */
  readonly pushDestination: string;
}

/** What became of a request. The runner commits the memory before it lets an answer out. */
export interface Served {
  readonly response: Uint8Array | undefined;
  /** What goes out right behind the response: blocks in a row. */
  readonly following?: readonly Uint8Array[];
  readonly fault: LineFault | undefined;
}

/** One client on one line. */
export type MeterConnection = Connection<KeyObject, VirtualMeter>;

const ALARM_BITS: Partial<Readonly<Record<MeterEvent, number>>> = {
  authenticationFailed: 13,
  protectionFailed: 13,
  replay: 13,
};
/** What may flow without the limiter being set lower, in W. */
const CONTRACT_W = { 1: 14_000, 3: 43_000 } as const;
const AARQ_TAG = 0x60;

/**
 * A virtual meter: identity, load, memory and a DLMS server in front of them.
 *
 * States: in the depot, as long as its stay there lasts; then in the field, where it pushes. `powerCycle` is what a power cut leaves:
 * everything but the memory is gone.
 */
export class VirtualMeter implements ProfileOwner, PushOwner, SupplyOwner, SecurityOwner, DepotOwner, LocalOwner {
  readonly record: StoredMeter["record"];
  readonly profile: CompanionProfile;
  readonly consumption: Consumption;
  readonly firstInterval: number;
  readonly supply: Supply | undefined;
  readonly security: MeterSecurity;
  /** Security setups beside the first, by number. */
  readonly setups: ReadonlyMap<number, MeterSecurity>;
  readonly events: EventLogs;
  /** What it shows to clients; the town's time is that of the world. */
  readonly clock: DlmsClock;
  readonly images: ImageReceiver;
  readonly portGuard: PortGuard;
  readonly faults: Faults;
  readonly pushes: PushSchedule;
  readonly tariff: MeterTariff;
  readonly mBus: MBusChannel;
  /** Alarm register: gone with the power, as its causes stay in the logs. */
  alarms = 0;
  /** Is called when the meter has been handed over to the field. */
  onInField: (() => void) | undefined;
  readonly #parts: MeterParts;
  readonly #server: CosemServer<KeyObject, VirtualMeter>;
  #settings: MeterSettings;
  #struck: LineFault | undefined;
  #invokeId = 0;
  readonly #depot: DepotStay;
  readonly #local = new LocalSessions(this);
  #clockRolls = false;
  #associating = false;
  #servedAt: UnixSeconds = 0;

  constructor(parts: MeterParts) {
    const { stored, consumption } = parts;
    this.#parts = parts;
    this.record = stored.record;
    this.profile = companionProfile(stored.record.profile);
    this.consumption = consumption;
    this.firstInterval = stored.firstInterval;
    this.#settings = stored.settings;
    this.clock = meterClock(this.profile, {
      nowSeconds: () => this.now(),
      offsetSeconds: stored.settings.clockOffsetSeconds ?? 0,
      onOffset: (seconds, before) => this.#keepClock(seconds, before),
    });
    this.portGuard = new PortGuard(this);
    this.images = imageReceiver(this);
    this.tariff = new MeterTariff(this);
    this.mBus = mBusChannel(this);
    this.faults = new Faults(stored.record.keyFault);
    this.pushes = new PushSchedule({
      seed: stored.record.seed,
      settings: (kind) => pushSettings(this, kind),
      localTime: (instant) => this.clockTime(instant / 1000),
    });
    const title = systemTitle(Buffer.from(stored.record.systemTitle, "hex"));
    this.security = new MeterSecurity(stored, title, this.profile.keysPerTransfer, this);
    this.setups = furtherSetups(stored, title, this);
    this.#depot = new DepotStay(this, (at) => {
      this.pushes.start(at);
      this.onInField?.();
    });
    this.supply =
      consumption instanceof HomeConsumption ? new Supply(consumption, this, this.profile.disconnectMode) : undefined;
    this.events = new EventLogs(this.profile.logs, stored.events, (event, capacity) =>
      this.write({ kind: "event", event, capacity }),
    );
    this.#server = new CosemServer(parts.model, this.#device());
    this.log("powerUp", this.now());
    if (this.inField) this.pushes.start(this.now());
  }

  now(): UnixSeconds {
    return this.#parts.clock();
  }

  get phases(): 1 | 3 {
    return this.record.phases;
  }

  suppliedAt(at: UnixSeconds): boolean {
    return this.consumption instanceof HomeConsumption ? this.consumption.relay.connectedAt(at) : true;
  }

  /** The firmware that runs. */
  get firmware(): string {
    return this.#settings.firmware ?? this.record.firmware;
  }

  get makerKey(): string | undefined {
    return this.record.firmwareKey;
  }

  /** Takes a firmware into use that its image transfer has accepted. */
  install(firmware: string): void {
    this.changeSettings({ ...this.#settings, firmware });
    this.log("configurationChanged", this.now());
  }

  /** What the customer may draw, in W. */
  get contractW(): number {
    return CONTRACT_W[this.phases];
  }

  /** Whether it has its place in the field; a depot meter only after its takeover. */
  get inField(): boolean {
    return this.#depot.isOver;
  }

  get settings(): MeterSettings {
    return this.#settings;
  }

  get pushDestination(): string {
    return this.#settings.pushDestination ?? this.#parts.pushDestination;
  }

  get keyTransferFault(): KeyTransferFault {
    return this.faults.keyTransfer;
  }

  get certificateFault(): CertificateFault {
    return this.faults.certificates;
  }

  /** What it proves itself with where it calls over TLS; undefined while it has no certificate for that. */
  get tlsCredentials(): TlsCredentials | undefined {
    return this.security.certificates?.tlsIdentity();
  }

  get policyBits(): number {
    return this.#settings.securityPolicy ?? this.profile.factoryPolicy;
  }

  setPolicyBits(securityPolicy: number): void {
    this.changeSettings({ ...this.#settings, securityPolicy });
  }

  /** The secret of a client, as the factory gave it or as it was changed; absent where it was given none. */
  secretOf(client: string): Uint8Array | undefined {
    const hex = this.#settings.secrets?.[client] ?? this.record.secrets?.[client];
    return hex === undefined ? undefined : new Uint8Array(Buffer.from(hex, "hex"));
  }

  /** Takes a new secret for a client, unless it is a meter that keeps what it should change. */
  changeSecret(client: string, octets: Uint8Array): void {
    if (this.faults.keyTransfer === "keepKeys") return;
    const secrets = { ...this.#settings.secrets, [client]: Buffer.from(octets).toString("hex") };
    this.changeSettings({ ...this.#settings, secrets });
  }

  /** The instant as the meter's clock shows it. */
  clockTime(at: UnixSeconds): DateTime {
    return this.clock.time(at * 1000 + this.clock.offset);
  }

  /** Lets the clock run away, without a word in its logs: what drift and tampering do. */
  rollClock(seconds: number): void {
    this.#clockRolls = true;
    this.clock.set(this.clock.now() + seconds * 1000);
    this.#clockRolls = false;
  }

  /** Both sides of a change stand in the log, each in its own time. */
  #keepClock(clockOffsetSeconds: number, beforeSeconds: UnixSeconds): void {
    const before = beforeSeconds - this.now();
    this.changeSettings({ ...this.#settings, clockOffsetSeconds });
    if (this.#clockRolls) return;
    this.events.add("clockLeft", this.now() + before);
    this.log("clockAdjusted", this.now());
  }

  changeSettings(settings: MeterSettings): void {
    this.#settings = settings;
    this.write({ kind: "settings", settings });
  }

  keepTransition(transition: RelayTransition): void {
    this.write({ kind: "relay", transition });
  }

  write(change: MemoryChange): void {
    this.#parts.memory.write(this.record.systemTitle, change);
  }

  log(event: MeterEvent, at: UnixSeconds): void {
    this.events.add(event, at + this.clock.offset / 1000);
    const bit = ALARM_BITS[event];
    if (bit === undefined) return;
    this.alarms |= 1 << bit;
    this.pushes.request("alarm", at);
  }

  clearAlarms(bits: number): void {
    this.alarms &= ~bits;
  }

  onKeys(purposes: readonly KeyPurpose[], setup = 0): void {
    const at = this.now();
    this.log("keysChanged", at);
    this.#depot.onKeys(purposes, setup, at);
  }

  /** Lets time pass: limiter, schedules, and the way from the depot to the field. */
  tick(at: UnixSeconds): void {
    if (this.supply?.watches === true) this.supply.tick(at);
    const { activateAt, ...rest } = this.#settings;
    if (activateAt !== undefined && at >= activateAt) {
      this.changeSettings(rest);
      // Without an image that was verified there is nothing to be activated.
      if (this.images.status === "verificationSuccessful") this.images.activate();
    }
    this.#depot.tick(at, this.#servedAt);
  }

  crashesNow(scope: Exclude<FaultScope, "any" | "association">): boolean {
    this.#struck ??= this.faults.strike(scope);
    return this.#struck?.kind === "crash-before";
  }

  /** A client begins to speak: from afar, or on the spot, at the optical port (P0), of which the meter writes down who comes and goes. */
  connect(clientSap: number, serverSap: number, way: "remote" | "local" = "remote"): MeterConnection {
    const connection = this.#server.connect(clientSap, serverSap);
    if (way === "local") this.#local.begin(connection);
    return connection;
  }

  /** The client is gone. */
  disconnect(connection: MeterConnection): void {
    const before = connection.standing.kind;
    this.#server.disconnect(connection);
    this.#local.moved(connection, before, "idle", before === "authenticating");
  }

  /** Answers one APDU. Never throws, whatever it is. */
  serve(connection: MeterConnection, apdu: Uint8Array): Served {
    this.#servedAt = this.now();
    this.#struck = this.faults.strike(apdu[0] === AARQ_TAG ? "association" : undefined);
    if (this.#struck?.kind === "crash-before") return { response: undefined, fault: this.#struck };
    const heard = this.#struck?.kind === "flip-request" ? flipped(apdu, this.#struck.bit) : apdu;
    this.#associating = heard[0] === AARQ_TAG;
    if (this.#associating && this.portGuard.isLocked) return { response: undefined, fault: undefined };
    const before = connection.standing.kind;
    const response = this.#server.handle(connection, heard);
    const after = connection.standing.kind;
    const isRefused = after === "idle" && (this.#associating || before === "authenticating");
    this.#local.moved(connection, before, after, isRefused);
    return { response, following: this.#server.following(connection), fault: this.#struck };
  }

  /** Comes up after a power cut. The runner has closed all connections. */
  powerCycle(): void {
    this.alarms = 0;
    for (const security of [this.security, ...this.setups.values()]) security.powerCycle();
    this.log("powerUp", this.now());
    if (this.inField) this.pushes.start(this.now());
  }

  /** Lets go of key objects while nobody is connected. */
  rest(): void {
    for (const security of [this.security, ...this.setups.values()]) security.rest();
  }

  /** Asks for a push as its setup has it, or at once. */
  requestPush(kind: PushKind, atOnce = false): void {
    this.pushes.request(kind, this.now(), atOnce);
  }

  /** Builds the data-notification of a push; its counter is reserved in memory, which the runner commits before it sends. */
  buildPush(kind: PushKind): Uint8Array {
    const at = this.now();
    const { pushObjectList } = pushSettings(this, kind);
    this.#invokeId = (this.#invokeId + 1) & 0xff_ffff;
    return buildPush(
      {
        invokeIdAndPriority: {
          invokeId: this.#invokeId,
          selfDescriptive: false,
          breakOnError: false,
          confirmed: false,
          highPriority: kind === "alarm",
        },
        dateTime: this.clockTime(at),
        body: pushBody(pushObjectList, new ObjectTree(this.#parts.model.objects, this)),
      },
      {
        ciphers: nodeCiphers,
        setup: this.security,
        authenticated: this.record.pushProtection === "authenticated-encrypted",
        encrypted: true,
      },
    );
  }

  #device(): Device<KeyObject, VirtualMeter> {
    return {
      state: this,
      ciphers: nodeCiphers,
      keyWrap: nodeKeyWrap,
      importKey: (octets) => createSecretKey(octets),
      random: nodeRandom,
      securitySetup: (logicalName) =>
        logicalName === SECURITY_SETUP
          ? this.security
          : [...this.setups].find(([setup]) => furtherSetupName(setup) === logicalName)?.[1],
      checkPassword: (association, password) => isSame(this.secretOf(association), password),
      setPassword: () => false,
      hlsMechanism: (association) => {
        const secret = this.secretOf(association);
        return secret === undefined ? this.security.certificates?.mechanism() : aesMechanism(secret);
      },
      onEvent: (event) => this.#hear(event),
    };
  }

  #hear(event: ServerEvent): void {
    if (event.kind === "association-refused" && event.reason === "authentication-failure") {
      this.log("authenticationFailed", this.now());
      this.portGuard.failed();
    } else if (event.kind === "associated") {
      if (event.association !== "public") this.portGuard.proved();
    } else if (event.kind === "request-refused") {
      if (event.reason === "counter-too-low") this.log("replay", this.now());
      else if (event.reason === "not-authentic" || event.reason === "not-protected-enough") {
        this.log("protectionFailed", this.now());
        if (this.#associating) this.portGuard.failed();
      }
    }
  }
}

function isSame(kept: Uint8Array | undefined, offered: Uint8Array): boolean {
  return kept !== undefined && constantTimeEqual(kept, offered);
}
