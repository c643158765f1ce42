import type { ApproverStanding, PersonLeft, PersonView } from "@meterkeep/api";
import type { FieldReport } from "@meterkeep/api/custodian";
import type { Login, Person } from "@meterkeep/headend";
import { loginOf } from "../http/login.ts";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";
import { record } from "./record.ts";
import { signInUrl } from "./sign-in.ts";

type PeopleRoutes = "listPeople" | "admitPerson" | "changeRoles" | "renewLogin" | "dismissPerson";

/** What somebody is and holds at the custodian, by name; nothing is known while it does not answer. */
interface Standings {
  approver(name: string): ApproverStanding;
  /** Ids under which somebody may approve. */
  approverIds(name: string): readonly string[];
  handhelds(name: string): readonly string[];
}

/** Who there is, what they may do, and the one act that ends all of it. */
export function peopleHandlers(context: Context): Pick<Handlers, PeopleRoutes> {
  const { people, logins } = context;
  const shown = async (person: Person): Promise<PersonView> => viewOf(person, await standings(context));
  return {
    listPeople: async () => {
      const [everybody, standing] = await Promise.all([people.list(), standings(context)]);
      return { people: everybody.map((person) => viewOf(person, standing)) };
    },
    admitPerson: async ({ body, request }) => {
      const { name } = loginOf(request);
      people.check(body.roles, body.name);
      await record(context, "person-admitted", name, { name: body.name, roles: body.roles, subject: body.subject });
      const person = await people.admit(body, name);
      const url = signInUrl(context.config.url, await logins.newLinkFor(person.id, "admitted"));
      return { person: await shown(person), url };
    },
    changeRoles: async ({ params, body, request }) => {
      const login = loginOf(request);
      refuseOneself(login, params.id, "nobody gives roles to themselves: another administrator does");
      const { name, roles } = await people.get(params.id);
      people.check(body.roles);
      await record(context, "roles-changed", login.name, { person: name, from: roles, to: body.roles });
      return shown(await people.changeRoles(params.id, body.roles));
    },
    renewLogin: async ({ params, request }) => {
      const login = loginOf(request);
      const { name, leftAt } = await people.get(params.id);
      if (leftAt !== undefined) throw new ProblemError("person-unknown", `${name} has left`);
      await record(context, "login-renewed", login.name, { person: name });
      const url = signInUrl(context.config.url, await logins.newLinkFor(params.id, "recover"));
      context.streams.endOf(params.id);
      return { url };
    },
    dismissPerson: async ({ params, request }) => {
      const login = loginOf(request);
      refuseOneself(login, params.id, "nobody lets themselves go: another administrator does");
      return dismiss(context, await people.get(params.id), login.name);
    },
  };
}

function refuseOneself(login: Login, id: string, message: string): void {
  if (login.kind === "person" && login.id === id) throw new ProblemError("not-allowed", message);
}

/** Ours first, since it needs nobody; then the custodian's. What fails there is said, and done again by asking again. */
async function dismiss(context: Context, person: Person, by: string): Promise<PersonLeft> {
  const { name } = person;
  await record(context, "person-dismissed", by, { person: name, id: person.id });
  const ended = await context.people.dismiss(person.id, by);
  context.streams.endOf(person.id);
  const undone: string[] = [];
  const standing = await standings(context);
  if (standing.approver(name) === "unknown")
    undone.push("The custodian does not answer: whether they approve or hold keys is not known. Do this again later.");
  let approver = standing.approver(name);
  const reason = `${name} has left`;
  for (const id of standing.approverIds(name))
    try {
      await context.custodian.suspendApprover({ approver: id, reason });
      approver = "suspended";
    } catch (error) {
      undone.push(`They may still approve as ${id}: ${wordsOf(error)}`);
    }
  const handhelds: string[] = [];
  for (const handheld of standing.handhelds(name))
    try {
      await context.custodian.loseHandheld({ handheld, reason });
      handhelds.push(handheld);
    } catch (error) {
      undone.push(`Handheld ${handheld} still holds keys: ${wordsOf(error)}`);
    }
  return { name, ...ended, approver, handhelds, undone };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : "the custodian refused";
}

async function standings({ custodian }: Pick<Context, "custodian">): Promise<Standings> {
  try {
    const [{ approvers }, { report }] = await Promise.all([custodian.authorityState({}), custodian.fieldReport({})]);
    const { handhelds } = JSON.parse(report) as FieldReport;
    const of = (name: string) => approvers.filter((one) => one.name.toLowerCase() === name.toLowerCase());
    const active = (name: string) => of(name).filter(({ suspended }) => suspended === undefined);
    return {
      approver: (name) => (active(name).length > 0 ? "approver" : of(name).length > 0 ? "suspended" : "none"),
      approverIds: (name) => active(name).map(({ id }) => id),
      handhelds: (name) =>
        handhelds
          .filter(({ technician, state }) => state === "enrolled" && technician.toLowerCase() === name.toLowerCase())
          .map(({ handheld }) => handheld),
    };
  } catch {
    return { approver: () => "unknown", approverIds: () => [], handhelds: () => [] };
  }
}

function viewOf(person: Person, standing: Standings): PersonView {
  const { id, name, roles, subject, admittedBy, leftBy, sessions, passkeys, tokens } = person;
  const { lastSeenAt, leftAt } = person;
  return {
    id,
    name,
    roles: [...roles],
    ...(subject === undefined ? {} : { subject }),
    admittedAt: person.admittedAt.toISOString(),
    ...(admittedBy === undefined ? {} : { admittedBy }),
    ...(lastSeenAt === undefined ? {} : { lastSeenAt: lastSeenAt.toISOString() }),
    ...(leftAt === undefined ? {} : { leftAt: leftAt.toISOString() }),
    ...(leftBy === undefined ? {} : { leftBy }),
    sessions,
    passkeys,
    tokens,
    approver: standing.approver(name),
    handhelds: [...standing.handhelds(name)],
  };
}
