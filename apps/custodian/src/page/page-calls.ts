import { type Custody, lossHash } from "@meterkeep/custody";

type Asked = Readonly<Record<string, unknown>>;
type Parts = Pick<Custody, "service" | "authority" | "enrolment" | "disputedLeases">;

/** Answers one call of the page. */
export type PageCall = (asked: Asked, custody: Parts) => Promise<unknown>;

/** Something the page may not ask for like this. */
export class PageRefusal extends Error {
  readonly code = "request-malformed";
}

/** Whoever sits before the page: what it changes is signed by a person. */
const PAGE = { name: "page", role: "operator" } as const;
const MOST_SHOWN = 30;
const TARGETS_SHOWN = 50;
/** A search looks through a manifest page by page. */
const SEARCHED_AT_ONCE = 1000;

/** What the page can ask for: what is to be approved, and to hand in what a person has signed. */
export const PAGE_CALLS: Readonly<Record<string, PageCall>> = {
  "/api/state": async (_, { service, disputedLeases }) => {
    const [state, { manifests }, { changes }] = await Promise.all([
      service.authorityState({}, PAGE),
      service.manifests({ limit: MOST_SHOWN }, PAGE),
      service.changes({ limit: MOST_SHOWN }, PAGE),
    ]);
    const approvers = state.approvers.map((one) => ({ ...one, credentialId: hex(one.credentialId) }));
    return { ...state, approvers, manifests, changes, disputes: disputedLeases() };
  },
  "/api/targets": async (asked, { service }) => {
    const hash = textOf(asked, "hash");
    const search = textOf(asked, "search").toUpperCase();
    const { targets: count } = await service.manifest({ hash }, PAGE);
    const found: unknown[] = [];
    for (let from = 0; from < count && found.length < TARGETS_SHOWN; from += SEARCHED_AT_ONCE) {
      const { targets } = await service.manifestTargets({ hash, from, limit: SEARCHED_AT_ONCE }, PAGE);
      for (const { systemTitle, ...rest } of targets) {
        const title = hex(systemTitle).toUpperCase();
        const fits = [title, rest.feeder, rest.transformer].some((text) => text.toUpperCase().includes(search));
        if (fits && found.length < TARGETS_SHOWN) found.push({ systemTitle: title, ...rest });
      }
    }
    return { targets: found, count };
  },
  "/api/statement": async (asked, { service }) => {
    const [decision, approver] = [textOf(asked, "decision"), textOf(asked, "approver")];
    if (decision === "lost")
      return service.statement({ decision, hash: lossHash(textOf(asked, "lost")), approver }, PAGE);
    if (decision !== "approve" && decision !== "freeze")
      throw new PageRefusal("this page approves, freezes and hears of lost keys");
    return service.statement({ decision, hash: textOf(asked, "hash"), approver }, PAGE);
  },
  "/api/approve": (asked, { service }) => service.approve({ approval: textOf(asked, "approval") }, PAGE),
  "/api/freeze": async (asked, { authority }) => {
    await authority.freezeSigned(textOf(asked, "approval"), textOf(asked, "reason"));
    return {};
  },
  "/api/lost-key": async (asked, { authority, enrolment }) => {
    const candidate = await authority.reportLoss(textOf(asked, "approval"), textOf(asked, "lost"));
    return { code: enrolment.invite(candidate, PAGE) };
  },
  "/api/invitation": async (asked, { enrolment }) => {
    const invited = enrolment.invited(textOf(asked, "code"));
    if (invited === undefined) throw new PageRefusal("the invitation is not good, or no more");
    const { id, name, roles, replaces, challenge } = invited;
    return { id, name, roles, replaces, challenge: hex(challenge) };
  },
  "/api/register": (asked, { enrolment }) =>
    enrolment.register(textOf(asked, "code"), {
      attestationObject: octetsOf(asked, "attestationObject"),
      clientData: octetsOf(asked, "clientData"),
    }),
};

function textOf(asked: Asked, name: string): string {
  const value = asked[name];
  if (typeof value !== "string") throw new PageRefusal(`${name} is missing`);
  return value;
}

function octetsOf(asked: Asked, name: string): Uint8Array {
  const text = textOf(asked, name);
  if (!/^(?:[0-9a-f]{2})+$/.test(text)) throw new PageRefusal(`${name} is no hex`);
  return new Uint8Array(Buffer.from(text, "hex"));
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString("hex");
}
