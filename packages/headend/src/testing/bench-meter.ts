import type { SessionAdvance } from "@meterkeep/api/custodian";
import {
  AssociationLnV1,
  Clock,
  CosemServer,
  DataClass,
  type DateTime,
  DisconnectControl,
  d,
  dateTimeAt,
  deviceModel,
  localAssociator,
  mount,
  onlyReading,
  type Protection,
  PushSetup,
  Register,
  serveProfile,
} from "@meterkeep/dlms";
import { nodeCiphers, nodeKeyWrap, nodeRandom } from "@meterkeep/dlms-node";
import type { MeterLine } from "../session/line.ts";
import type { SessionCustodian } from "../session/session-custodian.ts";

const ENERGY = "1.0.1.8.0.255";
const POWER = "1.0.1.7.0.255";
const PROFILE = "1.0.99.1.0.255";
const DAILY = "1.0.99.2.0.255";
const QUALITY = "1.0.99.14.0.255";
const VOLTAGE = "1.0.32.24.0.255";
const EVENTS = "0.0.99.98.0.255";
const SWITCH = "0.0.96.3.10.255";
const CLOCK = "0.0.1.0.0.255";
const ASSOCIATION = "0.0.40.0.0.255";
const PUSH_SET_UPS = ["0.0.25.9.0.255", "0.1.25.9.0.255", "0.2.25.9.0.255", "0.3.25.9.0.255"];
const RATIOS = ["1.0.0.4.2.255", "1.0.0.4.5.255"];
const PUBLIC_SAP = 16;

/** What a meter on the test's bench is made of; it may change between sessions. */
export interface BenchState {
  now: number;
  connected: boolean;
  /** One row a quarter hour, oldest first. */
  rows: readonly { readonly at: number; readonly wattHours: number }[];
  /** One row a midnight. */
  midnights?: BenchState["rows"];
  /** One row of mean voltage every ten minutes. */
  voltages?: readonly { readonly at: number; readonly volts: number }[];
  /** Minutes from its local time to UTC, which it keeps to itself. */
  silentDeviation?: number;
  /** Where its push set-ups point to, by instance of `0-b:25.9.0`. */
  pushTo?: Readonly<Record<number, string>>;
  /** What its current transformers multiply and divide by, where it is behind some. */
  ratio?: readonly [numerator: number, denominator: number];
  /** Lines of its log, in the order in which they were written. */
  events?: readonly { readonly at: number; readonly code: number }[];
}

/** A time as the meter's clock shows it. */
function clockText({ silentDeviation }: BenchState, at: number): DateTime {
  return silentDeviation === undefined ? dateTimeAt(at) : { ...dateTimeAt(at, silentDeviation), deviation: undefined };
}

const model = deviceModel<BenchState>({
  objects: [
    mount(CLOCK, Clock.serve<BenchState>({ get: { time: (state) => clockText(state, state.now) } })),
    register(ENERGY, 30, ({ rows }) => rows.at(-1)?.wattHours ?? 0),
    register(POWER, 27, () => 420),
    mount(
      SWITCH,
      DisconnectControl.serve<BenchState>({
        get: {
          outputState: ({ connected }) => connected,
          controlState: ({ connected }) => (connected ? "connected" : "disconnected"),
        },
      }),
    ),
    ...PUSH_SET_UPS.map((name, at) => pushSetUp(name, at)),
    ...RATIOS.map((name, at) => ratioOf(name, at)),
    mount(ASSOCIATION, AssociationLnV1.serve<BenchState>({ get: { objectList } })),
    register(VOLTAGE, 35, ({ voltages = [] }) => voltages.at(-1)?.volts ?? 0),
    rowsOfOne(PROFILE, 900, ENERGY, ({ rows }) => rows.map(({ at, wattHours }) => ({ at, count: wattHours }))),
    rowsOfOne(DAILY, 86_400, ENERGY, ({ midnights = [] }) =>
      midnights.map(({ at, wattHours }) => ({ at, count: wattHours })),
    ),
    rowsOfOne(EVENTS, 0, ENERGY, ({ events = [] }) => events.map(({ at, code }) => ({ at, count: code }))),
    rowsOfOne(QUALITY, 600, VOLTAGE, ({ voltages = [] }) => voltages.map(({ at, volts }) => ({ at, count: volts }))),
  ],
  associations: [
    {
      name: "public",
      clientSap: PUBLIC_SAP,
      authentication: { kind: "none" },
      access: onlyReading(
        CLOCK,
        ENERGY,
        POWER,
        SWITCH,
        PROFILE,
        DAILY,
        EVENTS,
        QUALITY,
        VOLTAGE,
        ASSOCIATION,
        ...PUSH_SET_UPS,
        ...RATIOS,
      ),
    },
  ],
});

function pushSetUp(name: string, instance: number) {
  return mount(
    name,
    PushSetup.serve<BenchState>({
      get: {
        sendDestinationAndMethod: ({ pushTo }) => ({
          transportService: "tcp",
          destination: Buffer.from(pushTo?.[instance] ?? ""),
          message: "aXdr",
        }),
      },
    }),
  );
}

function ratioOf(name: string, at: number) {
  return mount(
    name,
    DataClass.serve<BenchState>({
      get: { value: ({ ratio }) => ({ type: "long-unsigned", value: ratio?.[at] ?? 0 }) },
    }),
  );
}

/** Its clock, and the push set-ups and ratios that it says it has. */
function objectList({ pushTo = {}, ratio }: BenchState) {
  const accessRights = { attributeAccess: [], methodAccess: [] };
  const setUps = Object.keys(pushTo).map((at) => ({ classId: 40, logicalName: PUSH_SET_UPS[Number(at)] as string }));
  const ratios = ratio === undefined ? [] : RATIOS.map((name) => ({ classId: 1, logicalName: name }));
  return [{ classId: 8, logicalName: CLOCK }, ...setUps, ...ratios].map((each) => ({
    ...each,
    version: 0,
    accessRights,
  }));
}

function register(logicalName: string, unit: number, value: (state: BenchState) => number) {
  return mount(
    logicalName,
    Register.serve<BenchState>({
      get: {
        value: (state) => ({ type: "double-long-unsigned", value: value(state) }),
        scalerUnit: () => ({ scaler: 0, unit }),
      },
    }),
  );
}

/** A profile of a clock and one register. */
function rowsOfOne(
  logicalName: string,
  capturePeriod: number,
  captured: string,
  rowsOf: (state: BenchState) => readonly { readonly at: number; readonly count: number }[],
) {
  return mount(
    logicalName,
    serveProfile<BenchState>({
      columns: [
        { classId: 8, logicalName: CLOCK, attributeIndex: 2, dataIndex: 0 },
        { classId: 3, logicalName: captured, attributeIndex: 2, dataIndex: 0 },
      ],
      capturePeriod,
      profileEntries: 960,
      deviation: 0,
      rows: (state) => {
        const rows = rowsOf(state);
        return {
          length: rows.length,
          instant: (row) => rows[row]?.at ?? 0,
          writeCell: (writer, row, column) => {
            const { at = 0, count = 0 } = rows[row] ?? {};
            if (column === 0) d.dateTime.encode(writer, clockText(state, at));
            else d.doubleLongUnsigned.encode(writer, count);
          },
        };
      },
    }),
  );
}

/** A meter in memory that speaks DLMS in clear, so that a test needs no key; `onExchange` may fail an exchange. */
export function benchMeter(state: BenchState, onExchange: (count: number) => void = () => undefined): () => MeterLine {
  const server = new CosemServer<never, BenchState>(model, {
    state,
    ciphers: nodeCiphers as never,
    keyWrap: nodeKeyWrap as never,
    importKey: () => {
      throw new Error("this meter has no keys");
    },
    random: nodeRandom,
    securitySetup: () => undefined,
    checkPassword: () => false,
    setPassword: () => false,
  });
  return () => {
    const connection = server.connect(PUBLIC_SAP, 1);
    let count = 0;
    return {
      exchange: async (apdu) => {
        count += 1;
        onExchange(count);
        const answer = server.handle(connection, apdu);
        if (answer === undefined) throw Object.assign(new Error("no answer"), { code: "response-timeout" });
        return answer;
      },
      [Symbol.asyncDispose]: async () => server.disconnect(connection),
    };
  };
}

/** A custodian that associates without keys and seals nothing, and writes down what it was asked. */
export function openCustodian(calls: string[] = []): SessionCustodian {
  let associator = localAssociator({ authentication: { kind: "none" } });
  let protection: Protection | undefined;
  const send = async (step: Awaited<ReturnType<typeof associator.start>>): Promise<SessionAdvance> => {
    if (step.kind === "send") return { kind: "send", apdu: step.apdu };
    protection = step.protection;
    const { conformance, maxReceivePduSize } = step.negotiated;
    return { kind: "established", conformance: [...conformance], maxReceivePduSize: maxReceivePduSize ?? 0 };
  };
  return {
    openSession: async () => {
      calls.push("open");
      associator = localAssociator({ authentication: { kind: "none" } });
      const step = await associator.start();
      if (step.kind !== "send") throw new Error("an association starts with a request");
      return { session: "s", clientSap: PUBLIC_SAP, serverSap: 1, apdu: step.apdu };
    },
    advanceSession: async ({ received }) => send(await associator.next(received)),
    seal: async ({ items }) => {
      const sealed = (await protection?.seal(items.map(({ apdu }) => apdu))) ?? [];
      return sealed.map((apdu) => ({ kind: "sealed", apdu }));
    },
    open: async ({ apdus }) =>
      apdus.map((apdu) => ({ kind: "opened", apdu, authenticated: true, encrypted: true, counter: 1 })),
    closeSession: async ({ outcome, releases }) => {
      calls.push(`${releases === true ? "release and close" : "close"} ${outcome}`);
      return releases === true ? { apdu: await associator.release() } : {};
    },
  };
}
