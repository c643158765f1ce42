import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import { publicKeyOctets } from "@meterkeep/dlms-node";
import { localSigner, makeRequestWith, toPem } from "@meterkeep/pki";
import { listenOnChannel } from "../channel/server.ts";
import { profileOf } from "../pki/development-tree.ts";
import { ENROLLED_OVER_EST } from "../pki/enrollable.ts";
import { enrolByPassword } from "../pki/est/enrolment.ts";
import { hostNames } from "../pki/subjects.ts";
import { testCredential } from "./test-credential.ts";
import { caller, type TestCustody, withTestCustody } from "./test-custody.ts";
import { TestMeter } from "./test-meter.ts";

export const OPERATOR = caller("operator");
const [CUSTODIAN, HEAD_END] = [testCredential("custodian"), testCredential("head-end")];
export const HOME = new TestMeter({ systemTitle: "5453540000000001" });

const PRINCIPALS = [{ name: "head-end", role: "head-end", certificate: HEAD_END.certificate }] as const;
const PLACE = { utility: "stadtwerke", island: "mainland" } as const;

/** What proves a process to the custodian, PEM. */
export interface WorkerCredential {
  readonly certificate: string;
  readonly privateKey: string;
}

/** A custodian that listens, and what a certificate of its PKI is asked for with. */
export async function withWorkers(
  body: (bench: {
    readonly socketPath: string;
    readonly custodianCertificate: string;
    /** Who is the head-end on the custodian's own machine. */
    readonly headEnd: WorkerCredential;
    /** The root, PEM. */
    readonly authorities: string;
    readonly custody: TestCustody;
    readonly authority: string;
    /** Makes a key and has it certified: over a one-time password, as EST does, where its profile may. */
    enrol(name: string, profile: string, hosts?: readonly string[]): Promise<WorkerCredential>;
    client(of: WorkerCredential): ReturnType<typeof custodianClient>;
  }) => Promise<void>,
): Promise<void> {
  await withTestCustody(
    async (custody) => {
      // Connections are judged at the clock of the machine.
      custody.now = Date.now();
      const { pki, service } = custody.custody;
      await custody.add(HOME);
      await using stack = new AsyncDisposableStack();
      const folder = mkdtempSync(join(tmpdir(), "meterkeep-workers-"));
      stack.defer(() => rmSync(folder, { recursive: true }));
      const socketPath = join(folder, "channel.sock");
      const server = await listenOnChannel({ ...custody.custody, socketPath, ...CUSTODIAN, principals: PRINCIPALS });
      stack.defer(() => server.close());
      const { authority } = await pki.issuerFor(PLACE, "P-256");
      const line = await pki.authorities.lineOf(authority);
      const above = line.filter(({ parent }) => parent !== undefined);
      const root = line.find(({ parent }) => parent === undefined);
      await body({
        socketPath,
        custodianCertificate: CUSTODIAN.certificate,
        headEnd: HEAD_END,
        authorities: toPem("CERTIFICATE", root!.certificate),
        custody,
        authority,
        enrol: async (name, profile, hosts = []) => {
          const { privateKey: key } = generateKeyPairSync("ec", { namedCurve: "P-256" });
          const privateKey = key.export({ type: "pkcs8", format: "pem" }).toString();
          const subject = { kind: "named", fields: [{ field: "CN", text: name }], entity: undefined } as const;
          const publicKey = { curve: "P-256", point: publicKeyOctets(key) } as const;
          const overEst = async (): Promise<Uint8Array> => {
            const order = { name, authority, profile, subject, hosts: [...hosts], endsAt: custody.now + 60_000 };
            const { password } = await service.makeEnrolmentPassword(order, OPERATOR);
            const request = await makeRequestWith(localSigner(key, publicKey), name);
            return (await enrolByPassword(pki, { name, password }, request)).octets;
          };
          // What listens has its certificate from whoever starts it.
          const byOrder = async (): Promise<Uint8Array> => {
            const names = { authority, subject: { names: { CN: name } }, hosts: hostNames(hosts) };
            const order = { ...names, profile: profileOf(profile), publicKey, requester: OPERATOR.name };
            return (await pki.authorities.issue(order)).octets;
          };
          const octets = await (ENROLLED_OVER_EST.has(profile) ? overEst() : byOrder());
          const chain = [octets, ...above.map((one) => one.certificate)];
          return { privateKey, certificate: chain.map((one) => toPem("CERTIFICATE", one)).join("") };
        },
        client: (of) => {
          const client = custodianClient({ socketPath, ...of, custodianCertificate: CUSTODIAN.certificate });
          stack.defer(() => client.close());
          return client;
        },
      });
    },
    undefined,
    { pki: { developmentTree: PLACE } },
  );
}
