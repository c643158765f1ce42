import type { CustodianRequest } from "@meterkeep/api/custodian";
import { COUNTERS_PER_ASSOCIATION, fromHex, type SystemTitle, systemTitle } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { islandCut, requireRight, unknownMeter } from "../calls/required-right.ts";
import type { SigningParties } from "../conversation/association.ts";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import { Line } from "../conversation/line.ts";
import type { ClientKeys } from "../enrolment/client-keys.ts";
import { believedKeys, signingJournal } from "../enrolment/identity.ts";
import type { MeterAuthority } from "../enrolment/meter-authority.ts";
import { EvidenceHash } from "../evidence/evidence-hash.ts";
import type { LentMeters } from "../lease/lent-meters.ts";
import type { OctetPlaces } from "../memory/octet-places.ts";
import { meterFacts } from "../protocol/meter-facts.ts";
import { type MeterFile, type MeterPlace, setupPlace } from "../store/records.ts";
import { settledKeys } from "../takeover/settled-keys.ts";
import { CriticalTurn } from "./critical-turn.ts";
import type { KeptKeys } from "./kept-keys.ts";
import type { SealBudget } from "./seal-budget.ts";
import type { Session } from "./session.ts";
import { SessionAssociation } from "./session-association.ts";
import { sessionEntry } from "./session-entry.ts";
import { SessionKeys } from "./session-keys.ts";
import { asCallRefusal, asRefused } from "./session-refusals.ts";

/** What a session is opened with beyond any conversation: our own key pairs, for meters that prove themselves by signature. */
export interface OpeningDependencies extends ConversationDependencies {
  readonly clientKeys: Pick<ClientKeys, "pairs">;
  /** What of a meter's certificates stands. */
  readonly identities: Pick<MeterAuthority, "standing">;
  readonly lentMeters: Pick<LentMeters, "requireNotLent">;
  /** Whether an island is cut. */
  readonly isCut: (place: MeterPlace) => boolean;
}

/** What sessions share, and whether openings that nobody waits for wait for others to share a commit. */
interface Shared {
  readonly budget: SealBudget;
  readonly kept: KeptKeys;
  readonly evidence: OctetPlaces;
  readonly canWait: boolean;
  /** Whether a caller may hurry one more. */
  readonly mayHurry: (caller: Caller) => boolean;
}

/** A session whose opening stands in the ledger: its AARQ, or why there is none, so that it has to be closed. */
type BegunSession =
  | {
      readonly session: Session;
      readonly failure?: undefined;
      readonly clientSap: number;
      readonly serverSap: number;
      readonly apdu: Uint8Array;
    }
  | { readonly session: Session; readonly failure: { readonly error: unknown } };

/** Begins a session with a meter whose keys are settled. What it throws has left no entry of an opening. */
export async function beginSession(
  dependencies: OpeningDependencies & Shared,
  { purpose, ciphering, awaited = false }: CustodianRequest<"openSession">,
  caller: Caller,
  title: string,
): Promise<BegunSession> {
  const { files, vault, committer, random, now, clientTitle, keeping, budget } = dependencies;
  const file = await files.load(title);
  if (file === undefined) throw unknownMeter(title);
  const place = setupPlace(file.meter);
  await requireRight(caller, place, purpose, dependencies);
  if (dependencies.isCut(place)) throw islandCut(place);
  const { GUEK, GAK, isProven } = settledKeys(file);
  if (purpose === "read") dependencies.lentMeters.requireNotLent(title, now());
  await budget.spendOnSession(caller, place);
  const isAwaited = awaited && dependencies.mayHurry(caller);
  const canWait = dependencies.canWait && !isAwaited;
  const facts = meterFacts(file.meter.profile);
  const isDedicated = ciphering === "dedicated";
  const client = clientTitle(place.utility);
  const signing = await signingParties(dependencies, file, client);
  const held = { keeping: keeping(place), kept: dependencies.kept };
  const keys = await SessionKeys.open(vault, file.keys, { GUEK, GAK }, held).catch(asRefused);
  // Whatever comes between, keys in clear and places go back.
  using made = new DisposableStack();
  made.defer(() => keys.dispose());
  const association = new SessionAssociation(
    { meter: file.meter, facts, client, random, isDedicated, writes: purpose === "configure", signing },
    keys,
  );
  made.defer(() => association.dispose());
  const line = made.use(new Line(dependencies, place, GUEK, file));
  const mechanism = signing === undefined ? 5 : 7;
  const clientSap = signing === undefined ? facts.managementClientSap : (facts.signingClientSap as number);
  // Both join one commit; neither the counters nor the entry may be missing when the AARQ leaves.
  const [taken, noted] = await Promise.allSettled([
    line.take(COUNTERS_PER_ASSOCIATION, canWait),
    committer.submit({
      entries: [sessionEntry("session-opened", caller, place, now(), { purpose, GUEK, GAK, mechanism })],
      canWait,
    }),
  ]);
  if (noted.status === "rejected") throw asCallRefusal(noted.reason);
  const session: Session = {
    caller,
    place,
    purpose,
    isAwaited,
    keyVersion: GUEK,
    isProven,
    line,
    turn: new CriticalTurn(),
    isDedicated,
    association,
    evidence: made.use(new EvidenceHash(dependencies.evidence)),
    bucket: budget.hold(caller, place),
    refused: 0,
    underWay: 0,
    waiting: [],
  };
  // From here on it is closed, which gives back all that it has, and has an entry.
  made.move();
  if (taken.status === "rejected") return { session, failure: { error: taken.reason } };
  try {
    const effect = await association.take({ kind: "associate", invocationCounter: taken.value });
    if (effect?.kind !== "send") throw new CallRefusal("custodian-failed", "no AARQ could be made");
    return { session, clientSap, serverSap: facts.serverSap, apdu: effect.apdu };
  } catch (error) {
    return { session, failure: { error } };
  }
}

/** What a meter that has proven its signing key once proves itself by from then on. */
async function signingParties(
  { identities, clientKeys }: Pick<OpeningDependencies, "identities" | "clientKeys">,
  file: MeterFile,
  title: SystemTitle,
): Promise<SigningParties | undefined> {
  const journal = signingJournal(file);
  if (journal === undefined || meterFacts(file.meter.profile).signingClientSap === undefined) return undefined;
  const { suite } = journal;
  const meter = systemTitle(fromHex(file.meter.systemTitle));
  const standing = await identities.standing(meter, journal.believed);
  if (standing.digitalSignature.length === 0)
    throw new CallRefusal(
      "identity-revoked",
      `no certificate of meter ${file.meter.systemTitle} stands: it, or an authority above it, was revoked`,
    );
  const pairs = await clientKeys.pairs(file.meter, suite);
  return { suite, title, pairs, believed: believedKeys({ believed: standing }) };
}
