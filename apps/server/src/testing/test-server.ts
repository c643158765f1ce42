import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RoleName } from "@meterkeep/api";
import { type Custodian, CustodianCallError } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import { DEFAULT_THRESHOLDS, thresholds, writeCanonical } from "@meterkeep/guard";
import {
  type Billing,
  Challenges,
  createGatewayPolicy,
  custodianCursor,
  DEFAULT_GATEWAY_NETWORKS,
  EventHub,
  folderShelf,
  HEADEND_MIGRATIONS,
  HeardRefusals,
  Inventory,
  Logins,
  MachineTokens,
  MeterDirectory,
  NO_BILLING,
  NO_WEATHER,
  openPolicyKey,
  openScope,
  Passkeys,
  People,
  PushSources,
  postgresWorkQueue,
  UTC,
  WALL_SOURCE_CLOCK,
  type WeatherOffice,
  wantedIntervals,
} from "@meterkeep/headend";
import { Ledger, postgresLedgerStore } from "@meterkeep/ledger";
import { openTestDatabase } from "@meterkeep/postgres/testing";
import { pino } from "pino";
import { listenForOwner } from "../admin/admin-socket.ts";
import { createCommandWork } from "../command-work.ts";
import { CustodianWatch } from "../custodian-watch.ts";
import { Drills, type DrillsPorts } from "../drill/drills.ts";
import type { Context } from "../handlers/context.ts";
import { createApp } from "../http/app.ts";
import { EventStreams, type StreamLimits } from "../http/event-stream.ts";
import { listenHttp } from "../http/listen.ts";
import { SESSION_COOKIE } from "../http/login.ts";
import { Metrics } from "../http/metrics.ts";
import { OwnClock } from "../own-clock.ts";
import { Organisation, type OrganisationSettings } from "../sign-in/organisation.ts";
import { Authenticator } from "./authenticator.ts";

type Calls = Context["custodian"];

/** A custodian as the API's handlers see it: it has the meters it was given and refuses `4D4B56FFFFFFFFFF`. */
export function scriptedCustodian(more: Partial<Calls> = {}): Calls {
  const zero = new Uint8Array(32);
  const status: Awaited<ReturnType<Custodian["status"]>> = {
    version: "test",
    vault: "software",
    rootKey: "file",
    rootKeyCopied: true,
    separateUser: true,
    recipient: { keyId: "ab".repeat(32), ecdh: Uint8Array.of(1), mlkem: Uint8Array.of(2) },
    ledgerHead: { size: 0, root: zero },
    meters: 1,
    killSwitch: false,
    founding: false,
    refusals: { sealBudget: 0, records: 0, entriesCounted: 0 },
  };
  return {
    status: async () => status,
    ledgerEntries: async () => ({ entries: [] }),
    ledgerState: async () => ({ size: 0, root: zero, keys: [], witnesses: [] }),
    ledgerProof: async () => ({ hashes: [] }),
    ledgerConsistency: async () => ({ hashes: [] }),
    ledgerCheckpoints: async () => ({ checkpoints: [] }),
    authorities: async () => ({ authorities: [], address: "http://localhost/pki" }),
    searchCertificates: async () => ({ certificates: [] }),
    newestCertificates: async () => ({ certificates: [] }),
    expiryBoard: async () => ({ moments: [], rows: [] }),
    revocationEffect: async () => {
      throw new CustodianCallError("pki-refused", "there is no such authority");
    },
    authorityMeters: async () => ({ meters: [] }),
    revocations: async () => ({ plans: [], cuts: [] }),
    publishedList: async () => ({ list: undefined }),
    publishedAnswer: async () => ({ octets: Uint8Array.of(0x30, 0x03, 0x0a, 0x01, 0x06), until: 0 }),
    enrolmentStates: async () => ({ states: [] }),
    authorityState: async () => ({
      approvers: [],
      policyServices: [],
      thresholds: writeCanonical(thresholds, DEFAULT_THRESHOLDS),
      founding: true,
      page: "",
      counts: { day: 0, dayCap: 0, tenMinutes: 0, tenMinutesCap: 0 },
      unsettled: 0,
    }),
    changes: async () => ({ changes: [] }),
    departMeters: async () => {
      throw new CustodianCallError("approval-required", "two people have to agree");
    },
    suspendApprover: async () => ({}),
    fieldReport: async () => ({ report: JSON.stringify({ handhelds: [], leases: [] }) }),
    loseHandheld: async () => ({ report: JSON.stringify({ handhelds: [], leases: [] }) }),
    freeze: async () => ({}),
    describeKeys: async () => ({
      keys: [{ purpose: "GUEK", version: 1, state: "active", origin: "imported", createdAt: 0, provenAt: undefined }],
    }),
    addMeter: async ({ systemTitle }) =>
      systemTitleText(systemTitle) === "4D4B56FFFFFFFFFF"
        ? {
            kind: "refused",
            code: "meter-keys-not-authentic",
            line: 0,
            systemTitle: undefined,
            message: "does not open",
          }
        : { kind: "added", warnings: [] },
    ...more,
  };
}

/** Somebody who has signed in. */
export interface TestPerson {
  readonly id: string;
  readonly name: string;
  readonly cookie: string;
  readonly device: Authenticator;
}

/** A head-end's HTTP side on a real port and a real database, for tests. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly adminSocket: string;
  readonly context: Context;
  /** Lets time pass for the server. */
  pass(milliseconds: number): void;
  /** Signs in by a fresh link and gives the cookie to send. */
  signIn(): Promise<string>;
  /** Admits a person who comes by a link, makes a passkey and has just shown it. */
  person(name: string, roles: readonly RoleName[]): Promise<TestPerson>;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
}

export async function startTestServer(
  options: {
    readonly custodian?: Partial<Calls>;
    readonly drills?: Partial<DrillsPorts>;
    readonly left?: Context["left"];
    readonly streams?: StreamLimits;
    readonly organisation?: OrganisationSettings;
    readonly billing?: Billing;
    readonly weather?: WeatherOffice;
    /** The head-end of another utility in the database of that one. */
    readonly beside?: TestServer;
  } = {},
): Promise<TestServer> {
  await using stack = new AsyncDisposableStack();
  const pool =
    options.beside?.context.pool ?? stack.use(await openTestDatabase({ migrations: HEADEND_MIGRATIONS })).pool;
  const utility = options.beside === undefined ? "utility" : "another utility";
  const scope = await openScope(pool, utility, "island");
  let passed = 0;
  const now = (): number => Date.now() + passed;
  const date = (): Date => new Date(now());
  const hub = new EventHub({ run: "test", keptEvents: 100, keptLines: 50, now: date });
  const custodian = scriptedCustodian(options.custodian);
  const heard = new HeardRefusals();
  const custodianWatch = new CustodianWatch(custodian, hub, now, heard, custodianCursor(pool, scope));
  await custodianWatch.look();
  const inventory = new Inventory(pool, scope);
  const logins = new Logins(pool, scope, date);
  const challenges = new Challenges(pool, scope, date);
  const ledger = new Ledger(postgresLedgerStore(pool));
  const queue = postgresWorkQueue(pool, scope);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { campaigns, groups, guard, look } = createCommandWork({
    pool,
    scope,
    custodian: custodian as Custodian,
    ledger,
    queue,
    hub,
    policy: openPolicyKey(privateKey.export({ format: "pem", type: "pkcs8" }).toString()),
    billing: options.billing ?? NO_BILLING,
    weather: options.weather ?? NO_WEATHER,
    heard,
    world: { destinations: () => [], shelf: folderShelf(tmpdir()) },
    clockOf: () => WALL_SOURCE_CLOCK,
    now,
    clockTrouble: new OwnClock(now).trouble,
    wake: () => undefined,
    onError: (error) => {
      throw error;
    },
  });
  // What a request has set going ends before the database does.
  stack.defer(() => look().catch(() => undefined));
  const streams = new EventStreams(hub, options.streams ?? { all: 4, forPeople: 2, perToken: 2 });
  const directory = mkdtempSync(join(tmpdir(), "meterkeep-server-"));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const config = {
    version: "test",
    utility,
    island: "island",
    url: "http://localhost",
    pushListen: { lan: false },
    passkeys: true,
    commandOptions: "",
  };
  const context: Context = {
    pool,
    scope,
    inventory,
    queue,
    wake: () => undefined,
    people: new People(pool, scope, date),
    logins,
    challenges,
    organisation: options.organisation && new Organisation(options.organisation, challenges, () => config.url),
    tokens: new MachineTokens(pool, scope, date),
    passkeys: new Passkeys(pool, scope, date),
    pushSources: new PushSources(pool, scope, new MeterDirectory(inventory)),
    gateways: createGatewayPolicy({
      networks: DEFAULT_GATEWAY_NETWORKS,
      ownPorts: () => [],
      resolve: async (host) => [host],
    }),
    attached: async () => undefined,
    left: options.left ?? (async () => undefined),
    custodian,
    connections: async () => [
      { name: "dc-1", protocol: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", group: "X25519MLKEM768", since: 0 },
    ],
    custodianWatch,
    ledger,
    campaigns,
    groups,
    guard,
    drills: new Drills({
      sql: pool,
      scope,
      hub,
      launch: () => undefined,
      targets: async () => [],
      onError: (error) => {
        throw error;
      },
      freeze: async () => 0,
      readBack: async () => undefined,
      now,
      ...options.drills,
    }),
    hub,
    streams,
    clockOf: () => WALL_SOURCE_CLOCK,
    zone: UTC,
    wanted: wantedIntervals(() => WALL_SOURCE_CLOCK, { days: 1, everySeconds: 0, powerQuality: true }),
    config,
    warnings: () => [],
    now,
  };
  const metrics = new Metrics({
    streams: () => streams.open,
    busySessions: () => 0,
    custodianRefusals: () => ({ sealBudget: 1, records: 0, entriesCounted: 0 }),
  });
  const app = await createApp(context, {
    logger: pino({ level: "silent" }),
    metrics,
    hostNames: [],
    consoleDirectory: join(directory, "console"),
  });
  stack.defer(() => app.close());
  const http = stack.use(await listenHttp(app, ["127.0.0.1"], 0));
  const adminSocket = join(directory, "admin.sock");
  stack.use(await listenForOwner(app, adminSocket));
  stack.defer(() => streams.close());
  const url = `http://localhost:${http.port}`;
  config.url = url;
  const base = `http://127.0.0.1:${http.port}`;
  const call = (path: string, init: RequestInit): Promise<Response> =>
    fetch(base + path, { ...init, headers: { host: `localhost:${http.port}`, ...init.headers } });
  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    call(path, {
      method: "POST",
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), origin: base, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const signInBy = async (token: string): Promise<string> => {
    const response = await post("/api/v1/sign-in", { token });
    const cookie = new RegExp(`${SESSION_COOKIE}=[^;]+`).exec(response.headers.get("set-cookie") ?? "")?.[0];
    if (cookie === undefined) throw new Error(`sign-in answered ${response.status}: ${await response.text()}`);
    return cookie;
  };
  /** Does what the browser does with the options that a route gives. */
  const answered = async (
    path: string,
    finish: string,
    cookie: string,
    answer: (challenge: string) => unknown,
  ): Promise<void> => {
    const begun = await post(`/api/v1${path}`, undefined, { cookie });
    const { challengeId, options } = (await begun.json()) as { challengeId: string; options: { challenge: string } };
    const response = answer(options.challenge);
    const done = await post(`/api/v1${finish}`, { challengeId, response }, { cookie });
    if (!done.ok) throw new Error(`${finish} answered ${done.status}: ${await done.text()}`);
  };
  const running = stack.move();
  return {
    url: base,
    adminSocket,
    context,
    pass: (milliseconds) => {
      passed += milliseconds;
    },
    signIn: async () => signInBy(await logins.newLink("first-start")),
    person: async (name, roles) => {
      const { id } = await context.people.admit({ name, roles }, "test");
      const cookie = await signInBy(await logins.newLinkFor(id, "admitted"));
      const device = new Authenticator(url);
      await answered("/passkeys/options", "/passkeys", cookie, (challenge) => device.create(challenge));
      await answered("/step-up/options", "/step-up", cookie, (challenge) => device.get(challenge));
      return { id, name, cookie, device };
    },
    get: (path, headers = {}) => call(path, { headers }),
    post,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
