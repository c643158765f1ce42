import { type ControlRequest, type ControlSocket, openControlSocket } from "@meterkeep/api/control-socket";
import {
  hangGasMeter,
  KEY_FAULTS,
  type KeyTransferFault,
  type LineFault,
  measuredBetween,
  readsGas,
} from "@meterkeep/meter";
import { TownError } from "./errors.ts";
import type { Town, TownMeter } from "./town.ts";

// For tests alone: what it tells is the truth that no protocol can hide. It lies in the town's own directory and gives nobody rights that reading that
// directory does not give already; no key leaves through it.

/** The longest path of a Unix socket on Linux, with its closing zero. */
const MAX_PATH_BYTES = 107;

/** Opens the town's control socket; nothing where the path is too long for a socket. */
export async function openControl(path: string, town: Town): Promise<ControlSocket | undefined> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return undefined;
  return openControlSocket(path, (request) => perform(town, request));
}

function perform(town: Town, request: ControlRequest): object {
  switch (request["do"]) {
    case "truth":
      return { now: town.clock.now(), meters: [...town.meters.values()].map(truthOf) };
    case "measured": {
      const { meter } = meterOf(town, request);
      return { columns: measuredBetween(meter, count(request["from"]) ?? 0, count(request["to"]) ?? 0) };
    }
    case "fault":
      meterOf(town, request).meter.faults.arm(armedOf(request));
      return {};
    case "key-fault":
      meterOf(town, request).meter.faults.keyTransfer = keyFaultOf(request["fault"]);
      return {};
    case "lie":
      meterOf(town, request).meter.faults.lies = request["on"] !== false;
      return {};
    case "roll-clock":
      meterOf(town, request).meter.rollClock(seconds(request["seconds"]));
      return {};
    case "roll-counter":
      meterOf(town, request).meter.security.rollCounter(count(request["to"]) ?? 0);
      return {};
    case "power-cycle": {
      const { meter, line } = meterOf(town, request);
      line.hangUp();
      meter.powerCycle();
      return {};
    }
    case "push-destination": {
      const { meter } = meterOf(town, request);
      meter.changeSettings({ ...meter.settings, pushDestination: String(request["destination"]) });
      return {};
    }
    case "capture-period":
      changeMBus(meterOf(town, request), seconds(request["seconds"]));
      return {};
    case "gas-meter":
      hangGasMeter(meterOf(town, request).meter, keyOf(request["defaultKey"]));
      return {};
    case "call-again":
      meterOf(town, request).line.hangUp();
      return {};
    case "on-the-spot":
      meterOf(town, request).line.isOnTheSpot = request["on"] !== false;
      return {};
    case "eavesdrop":
      meterOf(town, request).line.eavesdrop();
      return {};
    case "replay":
      return { requests: meterOf(town, request).line.replay() };
    case "silence":
      meterOf(town, request).meter.pushes.stop();
      return {};
    case "sleep":
      callerOf(town, request).sleep();
      return {};
    case "wake":
      callerOf(town, request).wake();
      return {};
    case "push":
      meterOf(town, request).meter.requestPush(request["kind"] === "alarm" ? "alarm" : "report", true);
      return {};
    default:
      throw malformed(`no such request: ${JSON.stringify(request["do"])}`);
  }
}

/** Somebody else sets how often the M-Bus device is read. */
function changeMBus({ meter }: TownMeter, capturePeriod: number): void {
  meter.mBus.settings = { ...meter.mBus.settings, capturePeriod };
}

/** What is really so, whatever the meter may say. */
function truthOf({ meter, line, port, depotPort, caller }: TownMeter): object {
  const now = meter.now();
  return {
    systemTitle: meter.record.systemTitle,
    role: meter.record.role,
    feeder: meter.record.feeder,
    profile: meter.record.profile,
    supplied: meter.supply?.connected ?? true,
    switchings: meter.supply?.runs ?? 0,
    limited: meter.supply?.emergencyAt(now) ?? false,
    feeding: meter.supply?.feedsAt(now) ?? true,
    powerW: meter.consumption.powerW(now),
    registers: meter.consumption.registers(now),
    inField: meter.inField,
    connected: line.taken,
    called: caller?.connected ?? false,
    shown: caller?.shown ?? null,
    lastReceivedCounter: meter.security.lastReceived,
    clockOffsetSeconds: meter.clock.offset / 1000,
    firmware: meter.firmware,
    image: meter.images.status,
    gas: meter.mBus.isInstalled ? { key: meter.mBus.keyStatus, isRead: readsGas(meter.settings) } : null,
    port,
    depotPort: depotPort ?? null,
  };
}

function meterOf(town: Town, request: ControlRequest): TownMeter {
  const found = town.meters.get(String(request["meter"]));
  if (found === undefined) throw malformed(`no such meter: ${JSON.stringify(request["meter"])}`);
  return found;
}

function callerOf(town: Town, request: ControlRequest): NonNullable<TownMeter["caller"]> {
  const { caller } = meterOf(town, request);
  if (caller === undefined) throw malformed("this meter does not call");
  return caller;
}

const LINE_FAULTS: readonly LineFault["kind"][] = [
  "drop",
  "delay",
  "reorder",
  "duplicate",
  "truncate",
  "flip",
  "flip-request",
  "reset",
  "crash-before",
  "crash-after",
];
const SCOPES = ["any", "association", "key-transfer"] as const;

function armedOf(request: ControlRequest): Parameters<TownMeter["meter"]["faults"]["arm"]>[0] {
  const kind = LINE_FAULTS.find((name) => name === request["fault"]);
  if (kind === undefined) {
    if (request["fault"] === null) return undefined;
    throw malformed(`no such fault: ${JSON.stringify(request["fault"])}`);
  }
  const amount = count(request["amount"]) ?? 0;
  const times = count(request["times"]);
  const after = count(request["after"]);
  return {
    fault: faultOf(kind, amount),
    scope: SCOPES.find((scope) => scope === request["scope"]) ?? "any",
    ...(times === undefined ? {} : { times }),
    ...(after === undefined ? {} : { after }),
  };
}

function faultOf(kind: LineFault["kind"], amount: number): LineFault {
  switch (kind) {
    case "delay":
      return { kind, milliseconds: amount };
    case "truncate":
      return { kind, octets: amount };
    case "flip":
    case "flip-request":
      return { kind, bit: amount };
    default:
      return { kind };
  }
}

function keyFaultOf(value: unknown): KeyTransferFault {
  const keys = count(value);
  if (keys !== undefined) return { kind: "partial", keys };
  const fault = KEY_FAULTS.find((name) => name === value);
  if (fault === undefined) throw malformed(`no such key fault: ${JSON.stringify(value)}`);
  return fault;
}

function keyOf(value: unknown): Uint8Array {
  if (typeof value === "string" && /^[0-9a-f]{32}$/.test(value)) return Buffer.from(value, "hex");
  throw malformed("a default key is 32 hex digits");
}

function seconds(value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value) && Math.abs(value) < 1e9) return value;
  throw malformed(`no number of seconds: ${JSON.stringify(value)}`);
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function malformed(what: string): TownError {
  return new TownError("town-control-request-malformed", what);
}
