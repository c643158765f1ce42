import assert from "node:assert/strict";
import type { Custodian, EnrolmentState, TakeoverState } from "@meterkeep/api/custodian";
import {
  AuthorityWorld,
  carryTakeover,
  HEAD_END,
  type TestCustody,
  type TrustedManufacturer,
  withTestCustody,
} from "@meterkeep/custody/testing";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { classOf } from "@meterkeep/guard";
import {
  type Dial,
  findMeterProfile,
  type MemoryOf,
  type Meter,
  type MeterProfile,
  type Operation,
  type OperationHeld,
  type OperationPreview,
  type OperationResult,
  parametersOf,
  previewOperation,
  type Route,
  runOperation,
  ScalerTable,
  volatileMemory,
  WALL_SOURCE_CLOCK,
} from "@meterkeep/headend";
import { type BenchMeter, benchMeter } from "@meterkeep/meter/testing";

type Produced = NonNullable<Parameters<typeof benchMeter>[0]>;

/** What a test may do to the line: throw, and the session is lost before the meter heard it; or lose its answer. */
export type Mischief = (exchange: number, moment: "before" | "after") => void;

/** A line that broke off. */
export function lineLost(): Error {
  return Object.assign(new Error("the line broke off"), { code: "connection-closed" });
}

/** One virtual meter that was taken over, a custodian with people who approve, and the head-end's operations between them. */
export interface OperationBench {
  bench: BenchMeter;
  readonly custody: TestCustody;
  readonly world: AuthorityWorld;
  readonly meter: Meter;
  readonly profile: MeterProfile;
  memoryOf: MemoryOf;
  mischief: Mischief;
  /** What goes over the line: requests and answers. */
  overheard: (request: Uint8Array, answer: Uint8Array | undefined) => Uint8Array | undefined;
  /** Octets of the longest APDU that the meter says it takes; as many as its profile has unless given. */
  pduBytes: number | undefined;
  /** How the meter is reached: over nothing but a call, unless a test puts sockets between. */
  way: { readonly route: Route; readonly dial: Dial };
  /** The meter loses its power and comes up again. */
  restart(): void;
  /** Approves it, runs it, and throws what it threw. */
  run<P>(operation: Operation<P>, parameters: unknown): Promise<OperationResult>;
  /** Approves it once and lets it be run again and again under the one manifest. */
  approve<P>(operation: Operation<P>, parameters: unknown): Promise<() => Promise<OperationHeld<OperationResult>>>;
  preview<P>(operation: Operation<P>, parameters: unknown): Promise<OperationPreview>;
  /** Has it taken over, where that is to be done, and proven. */
  takenOver(): Promise<TakeoverState>;
  /** Has it enrolled, where that is to be done. */
  enrolled(): Promise<EnrolmentState>;
}

const PLACE = { utility: "stadtwerke", island: "mainland" };

/** Runs `body` with a meter made to `changes`, in the custodian's service and under new keys; from suite 1 on enrolled, too. */
export function withOperationBench(
  changes: Produced,
  body: (at: OperationBench) => Promise<void>,
  profileOf: (profile: MeterProfile) => MeterProfile = (profile) => profile,
  manufacturers: TrustedManufacturer[] = [],
): Promise<void> {
  const signs = changes.securitySuite === 1 || changes.securitySuite === 2;
  return withTestCustody(
    async (custody) => {
      const world = await AuthorityWorld.open(custody);
      const anchored = signs ? { ...changes, trustAnchors: [await rootOf(custody)] } : changes;
      const bench = follow(benchMeter(anchored), custody);
      const profile = findMeterProfile(bench.record.profile);
      assert.ok(profile, `no meter profile ${bench.record.profile}`);
      const at = makeBench(custody, world, bench, profileOf(profile));
      await takeOver(at);
      if (signs) await enrol(at);
      await body(at);
    },
    undefined,
    { manufacturers, ...(signs && { pki: { developmentTree: PLACE } }) },
  );
}

/** The root of this custodian, as meters are made with it. */
async function rootOf({ custody }: TestCustody): Promise<string> {
  const root = (await custody.pki.authorities.all()).find(({ profile }) => profile === "root");
  assert.ok(root);
  return Buffer.from(root.certificate).toString("base64");
}

/** Gives the meter its certificates, over contacts as takeovers are. */
async function enrol({ bench, custody, meter }: OperationBench): Promise<EnrolmentState> {
  custody.now += 10_000;
  await custody.custody.service.contactsDue({ limit: 10 }, HEAD_END);
  await carryTakeover(custody, carriedOf(bench));
  const { states } = await custody.custody.service.enrolmentStates(
    { meters: [meter.systemTitle], after: undefined },
    HEAD_END,
  );
  const [state] = states;
  assert.ok(state?.verdict === "enrolled", state?.sentence ?? "no state");
  return state;
}

function carriedOf(bench: BenchMeter) {
  return {
    systemTitle: bench.record.systemTitle,
    fault: "none" as const,
    connect: (client: number, server: number) => lineTo(bench, client, server),
  };
}

/** The meter lives in the custodian's time. */
export function follow(bench: BenchMeter, custody: TestCustody): BenchMeter {
  Object.defineProperty(bench, "now", { get: () => custody.now / 1000 });
  return bench;
}

async function takeOver({ bench, custody }: OperationBench): Promise<void> {
  const { record } = bench;
  const { keys } = record;
  const { systemTitle: title, logicalDeviceName } = record;
  const secrets = Object.entries(record.secrets ?? {}).map(([client, hex]) => [client, fromHex(hex)] as const);
  await custody.add(
    {
      systemTitle: title,
      logicalDeviceName,
      factoryKeys: [
        keys.globalUnicastEncryptionKey,
        keys.globalBroadcastEncryptionKey,
        keys.authenticationKey,
        keys.keyEncryptionKey,
      ],
      factorySecrets: Object.fromEntries(secrets),
    },
    { serialNumber: record.serialNumber, profile: record.profile, securitySuite: record.securitySuite },
  );
  await takenOver(custody, bench);
}

async function takenOver(custody: TestCustody, bench: BenchMeter): Promise<TakeoverState> {
  const { state } = await carryTakeover(custody, carriedOf(bench));
  assert.equal(state.verdict, "proven", state.sentence);
  return state;
}

function lineTo(bench: BenchMeter, clientSap: number, serverSap: number) {
  const connection = bench.meter.connect(clientSap, serverSap);
  return {
    exchange: (apdu: Uint8Array): Uint8Array | undefined => {
      const { response } = bench.meter.serve(connection, apdu);
      bench.memory.commit();
      return response;
    },
  };
}

function makeBench(
  custody: TestCustody,
  world: AuthorityWorld,
  bench: BenchMeter,
  profile: MeterProfile,
): OperationBench {
  const { record } = bench;
  const meter = {
    id: 1,
    systemTitle: systemTitle(fromHex(record.systemTitle)),
    title: record.systemTitle,
    role: record.role,
    kind: "simulated",
    profile: record.profile,
    label: "on the bench",
    model: record.model,
  } as unknown as Meter;
  const as = <K extends keyof Custodian>(method: K): Custodian[K] =>
    ((request: never) =>
      (custody.custody.service[method] as (request: never, by: unknown) => unknown)(request, HEAD_END)) as Custodian[K];
  const custodian = {
    openSession: as("openSession"),
    advanceSession: async (request: Parameters<Custodian["advanceSession"]>[0]) => {
      const step = await as("advanceSession")(request);
      const { pduBytes } = at;
      return step.kind === "established" && pduBytes !== undefined ? { ...step, maxReceivePduSize: pduBytes } : step;
    },
    seal: as("seal"),
    open: as("open"),
    closeSession: as("closeSession"),
  };
  const directly: Dial = async (_, { clientSap, serverSap }) => {
    const line = lineTo(at.bench, clientSap, serverSap);
    let count = 0;
    return {
      exchange: async (apdu) => {
        count += 1;
        custody.now += 20;
        at.mischief(count, "before");
        const response = at.overheard(apdu, line.exchange(apdu));
        at.mischief(count, "after");
        if (response === undefined) throw lineLost();
        return response;
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  };
  const dial: Dial = (...args) => at.way.dial(...args);
  const ports = {
    custodian,
    dial,
    scalers: new ScalerTable(),
    memoryOf: (of: Meter) => at.memoryOf(of),
    now: () => custody.now,
  };
  const never = new AbortController().signal;
  const orderOf = <P>(operation: Operation<P>, parameters: unknown) => ({
    meter,
    route: at.way.route,
    profile,
    clock: WALL_SOURCE_CLOCK,
    operation,
    parameters: parametersOf(operation, parameters),
  });
  const at: OperationBench = {
    bench,
    custody,
    world,
    meter,
    profile,
    memoryOf: volatileMemory(),
    mischief: () => undefined,
    overheard: (_, answer) => answer,
    pduBytes: undefined,
    way: { route: { kind: "tcp", host: "", port: 1 }, dial: directly },
    restart: () => {
      at.bench = follow(at.bench.restarted(), custody);
    },
    approve: async (operation, parameters) => {
      const order = orderOf(operation, parameters);
      const command = operation.command(order.parameters, profile);
      if (command === undefined) return () => runOperation(ports, order, undefined, never);
      assert.notEqual(classOf(command), "C0");
      const hash = await world.approved(command, [meter.title]);
      const tokens = { token: async (act: number) => world.token(hash, meter.title, { act }) };
      return () => runOperation(ports, order, tokens, never);
    },
    run: async (operation, parameters) => {
      const held = await (await at.approve(operation, parameters))();
      if (held.error !== undefined) throw held.error;
      assert.ok(held.result);
      assert.equal(held.session.purpose, "operate");
      return held.result;
    },
    preview: async (operation, parameters) => {
      const held = await previewOperation(ports, orderOf(operation, parameters), never);
      if (held.error !== undefined) throw held.error;
      assert.ok(held.result);
      return held.result;
    },
    takenOver: () => takenOver(custody, at.bench),
    enrolled: () => enrol(at),
  };
  return at;
}
