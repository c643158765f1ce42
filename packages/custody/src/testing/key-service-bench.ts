import { once } from "node:events";
import { Agent, request } from "node:https";
import { connect, type TLSSocket } from "node:tls";
import type { HeadEnd } from "@meterkeep/api/custodian";
import {
  KEY_SERVICE_ROUTES,
  type KeyServiceBody,
  type KeyServiceResults,
  type KeyServiceRouteName,
} from "@meterkeep/api/key-service";
import type { ChannelCredential } from "@meterkeep/pki";
import { DEFAULT_LIMITS } from "../head-ends/head-end.ts";
import { octetsOf, octetsText } from "../http/octets.ts";
import { type KeyServiceOptions, listenForHeadEnds } from "../http/server.ts";
import { testAuthority } from "./test-authority.ts";
import { testCredential } from "./test-credential.ts";
import { caller, carryTakeover, type TestCustody, withTestCustody } from "./test-custody.ts";
import { TestMeter } from "./test-meter.ts";

const TITLE = "5453540000000007";
const OPERATOR = caller("operator");

/** An answer as it came. */
export interface RawAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** A key service over a custodian in memory, with one meter that has been taken over. */
export interface KeyServiceBench {
  readonly custody: TestCustody;
  readonly meter: TestMeter;
  readonly own: ChannelCredential;
  readonly port: number;
  /** Another meter, taken over as well. */
  add(title: string): Promise<TestMeter>;
  enrol(name: string, change?: Partial<HeadEnd>): Promise<void>;
  remove(name: string): Promise<void>;
  /** A head-end that is enrolled with a certificate of its own, for all meters unless said otherwise. */
  enrolled(name: string, change?: Partial<HeadEnd>): Promise<HeadEndClient>;
  client(credential: ChannelCredential | undefined): HeadEndClient;
  authority: typeof testAuthority;
  entries(): Promise<readonly { kind: string; principal: string; meter?: string | undefined; body: string }[]>;
}

/** Opens it. */
export async function withKeyService(
  body: (bench: KeyServiceBench) => Promise<void>,
  options: Partial<KeyServiceOptions> = {},
): Promise<void> {
  await withTestCustody(async (custody) => {
    const own = testCredential("custodian");
    const add = async (title: string) => {
      const meter = new TestMeter({ systemTitle: title });
      await custody.add(meter);
      await carryTakeover(custody, meter);
      return meter;
    };
    const meter = await add(TITLE);
    const server = await listenForHeadEnds({
      ...custody.custody,
      ...own,
      host: "127.0.0.1",
      port: 0,
      version: "test",
      ...options,
    });
    const clients: HeadEndClient[] = [];
    const client = (credential: ChannelCredential | undefined) => {
      const made = new HeadEndClient(server.port, own.certificate, credential);
      clients.push(made);
      return made;
    };
    const enrol: KeyServiceBench["enrol"] = async (name, change) => {
      const headEnd = { ...headEndFor(name, ""), ...change };
      await custody.custody.service.enrolHeadEnd({ headEnd, reason: "a test" }, OPERATOR);
    };
    try {
      await body({
        custody,
        meter,
        own,
        port: server.port,
        add,
        enrol,
        remove: async (name) => {
          await custody.custody.service.removeHeadEnd({ name, reason: "a test" }, OPERATOR);
        },
        enrolled: async (name, change) => {
          const credential = testCredential(name);
          await enrol(name, { ...headEndFor(name, credential.certificate), ...change });
          return client(credential);
        },
        client,
        authority: testAuthority,
        entries: () => custody.store.ledger.read(0, 10_000),
      });
    } finally {
      for (const one of clients) one.close();
      await server.close();
    }
  });
}

/** A record that may do everything with every meter of the bench. */
export function headEndFor(name: string, certificate: string): HeadEnd {
  return {
    name,
    trust: { kind: "pinned", certificates: [certificate] },
    grants: [{ purposes: ["read", "configure", "verify"], utility: "stadtwerke", islands: [], meters: [] }],
    limits: DEFAULT_LIMITS,
  };
}

/** A head-end of another vendor: an HTTP client with a certificate. */
export class HeadEndClient {
  readonly #port: number;
  readonly #custodian: string;
  readonly #credential: ChannelCredential | undefined;
  readonly #agent: Agent;

  constructor(port: number, custodian: string, credential: ChannelCredential | undefined) {
    this.#port = port;
    this.#custodian = custodian;
    this.#credential = credential;
    this.#agent = new Agent({ keepAlive: true, ...this.#tls });
  }

  /** The same head-end on connections of its own. */
  fresh(): HeadEndClient {
    return new HeadEndClient(this.#port, this.#custodian, this.#credential);
  }

  close(): void {
    this.#agent.destroy();
  }

  get(path: string): Promise<RawAnswer> {
    return this.send("GET", path, undefined);
  }

  post(path: string, body: unknown): Promise<RawAnswer> {
    return this.send("POST", path, JSON.stringify(body));
  }

  send(
    method: string,
    path: string,
    body: string | Uint8Array | undefined,
    headers: Readonly<Record<string, string>> = { "content-type": "application/json" },
  ): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port: this.#port, method, path, headers, agent: this.#agent };
      const sent = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          try {
            resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString("utf8")) });
          } catch (error) {
            reject(error);
          }
        });
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  /** Asks and gives the results. @throws where the request was refused as a whole */
  async ask<R extends KeyServiceRouteName>(
    route: R,
    body: KeyServiceBody<R>,
  ): Promise<{ results: KeyServiceResults<R> }> {
    const answer = await this.post(KEY_SERVICE_ROUTES[route].path, body);
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
    return answer.body as { results: KeyServiceResults<R> };
  }

  /** Makes an association with a meter. */
  async associate(
    meter: TestMeter,
    {
      octets = "hex",
      ciphering = "global",
      purpose = "read",
    }: { octets?: "hex" | "base64"; ciphering?: "global" | "dedicated"; purpose?: "read" | "configure" } = {},
  ) {
    const encode = (value: Uint8Array) => octetsText(value, octets);
    const decode = (text: string) => octetsOf(text, octets) as Uint8Array;
    const item = { meter: meter.systemTitle, purpose, ciphering };
    const [opened] = (await this.ask("sessions", { items: [item], octets })).results;
    if (opened?.kind !== "opened") throw new Error(JSON.stringify(opened));
    const { session } = opened;
    const line = meter.connect(opened.clientSap, opened.serverSap);
    for (let send = opened.apdu; ; ) {
      const apdu = encode(line.exchange(decode(send)) as Uint8Array);
      const [step] = (await this.ask("associate", { items: [{ session, apdu }], octets })).results;
      if (step?.kind === "established") return { session, line, encode, decode };
      if (step?.kind !== "send") throw new Error(JSON.stringify(step));
      send = step.apdu;
    }
  }

  /** A connection with nothing on it yet. */
  async raw(): Promise<TLSSocket> {
    const socket = connect({ host: "127.0.0.1", port: this.#port, ...this.#tls });
    socket.on("error", () => undefined);
    await Promise.race([once(socket, "secureConnect"), once(socket, "close")]);
    return socket;
  }

  /** The group that the handshake agreed on. */
  async group(): Promise<string> {
    const socket = await this.raw();
    const info = socket.getEphemeralKeyInfo() as { name?: string; type?: string };
    socket.destroy();
    return info.name ?? "";
  }

  get #tls() {
    return {
      ca: [this.#custodian],
      checkServerIdentity: () => undefined,
      ...(this.#credential && { cert: this.#credential.certificate, key: this.#credential.privateKey }),
    };
  }
}
