import assert from "node:assert/strict";
import { test } from "node:test";
import { acseApdu } from "../acse/acse-apdu.ts";
import { fromHex, toHex } from "../bytes.ts";
import { decode, encode } from "../codec/codec.ts";
import { logicalNameText } from "../cosem/logical-name.ts";
import { data } from "../data/data.ts";
import type { CipheringForm } from "../security/layers.ts";
import { type SoftwareKey, softwareCiphers, softwareKey } from "../security/software-aes.ts";
import type { ProtectionForm } from "../security/tags.ts";
import { protectionFormOf } from "../security/tags.ts";
import { sharedFiles } from "../shared-folder.test.ts";
import { systemTitle } from "../system-title.ts";
import { apdu as anyApdu, type PlainApdu } from "../xdlms/apdu.ts";
import type { AttributeDescriptor, SelectiveAccess } from "../xdlms/descriptors.ts";
import type { InvokeIdAndPriority } from "../xdlms/invoke-id.ts";
import type { AssociationConfig } from "./association-config.ts";
import { localAssociator } from "./local-associator.ts";
import type { ReceivedCounters } from "./protection.ts";
import { openSession, type Session } from "./session.ts";
import { SessionError } from "./session-error.ts";

// What other stacks' clients and servers said to each other, said again by our client. Challenges, counters, invoke ids
// and proposals are those of the recording; then every octet we send has to be the recorded one, and every recorded
// answer has to be understood. Left out: mechanisms we do not have, blocks that others cut elsewhere, ACCESS.

interface RecordedApdu {
  readonly dir: "c>s" | "s>c";
  readonly apdu: string;
  readonly authValue?: string;
  readonly deciphered?: { readonly plain: string; readonly ic: number; readonly sc: string };
  readonly userInfo?: { readonly plain?: string; readonly ic?: number; readonly sc?: string };
}

interface Trace {
  readonly mechanism: number | null;
  readonly suite: 0 | 1 | 2;
  readonly password: string | null;
  readonly keys: { readonly guek?: string | null; readonly gak?: string | null; readonly dedicated?: string | null };
  readonly apdus: readonly RecordedApdu[];
}

const files = sharedFiles("traces");
const MECHANISMS: readonly (number | null)[] = [0, 1, 5];
/** Recorded to show a peer's failure: nothing to say again. */
const FAILED = /neg-wrong-g|neg-plain|challenge64|authonly-glo|-gbt|longset|hdlc-hls5-gmac-ae-glo/;

/** A server that hung, or a recording that was stopped. */
class RecordingEnds extends Error {}

/** Says one recorded exchange again; counts what was compared. */
class Replay {
  readonly #trace: Trace;
  #at = 0;
  sent = 0;
  read = 0;
  refused = 0;

  constructor(trace: Trace) {
    this.#trace = trace;
  }

  async run(): Promise<void> {
    let session: Session;
    try {
      session = await openSession({
        associator: localAssociator(this.#config(), {
          frameCounters: { take: (count) => this.#counter(count) },
          receivedCounters: ANY_COUNTER,
        }),
        exchange: (apdu) => this.#exchange(apdu),
        invokeIds: () => this.#invokeId(),
      });
    } catch (error) {
      assert.ok(error instanceof SessionError && OPENING_REFUSALS.has(error.code), String(error));
      this.refused += 1;
      return;
    }
    while (this.#at < this.#trace.apdus.length) await this.#sayNext(session);
  }

  get #next(): RecordedApdu {
    const recorded = this.#trace.apdus[this.#at];
    assert.ok(recorded !== undefined, "the client says more than was recorded");
    return recorded;
  }

  #plainOf({ apdu, deciphered }: RecordedApdu): PlainApdu {
    return decode(anyApdu, fromHex(deciphered?.plain ?? apdu)) as PlainApdu;
  }

  #invokeId() {
    const { value } = this.#plainOf(this.#next);
    return (value as { readonly value: { readonly invokeIdAndPriority: InvokeIdAndPriority } }).value
      .invokeIdAndPriority;
  }

  #counter(count: number): number {
    if (count === 0) return 0;
    const { userInfo, deciphered } = this.#next;
    const recorded = userInfo?.ic ?? deciphered?.ic;
    if (recorded !== undefined) return recorded;
    // Mechanism 5 without ciphering: the only counter is the one in the proof, which is our second.
    const proof = PROOF.exec(this.#trace.apdus[2]?.apdu ?? "");
    return proof === null ? 0 : Number.parseInt(proof[1] as string, 16) - 1;
  }

  async #exchange(apdu: Uint8Array): Promise<Uint8Array> {
    const recorded = this.#next;
    assert.equal(recorded.dir, "c>s");
    if (this.#isDetermined(recorded)) {
      assert.equal(toHex(apdu), recorded.apdu);
      this.sent += 1;
    }
    const response = this.#trace.apdus[this.#at + 1];
    if (response?.dir !== "s>c") throw new RecordingEnds();
    this.#at += 2;
    return fromHex(response.apdu);
  }

  /**
   * Three clients prove themselves with the counter of the carrier, which repeats a nonce: we draw two. One proves
   * itself in the service's own form though it uses the general one for all that follows. One names mechanism 0.
   */
  #isDetermined({ deciphered, apdu }: RecordedApdu): boolean {
    if (apdu.startsWith(AARQ_NAMING_NO_SECURITY, 4)) return false;
    const proof = deciphered === undefined ? null : PROOF.exec(deciphered.plain);
    if (proof === null) return true;
    if (this.#form() === "general-global" && !apdu.startsWith("db")) return false;
    return Number.parseInt(proof[1] as string, 16) !== deciphered?.ic;
  }

  async #sayNext(session: Session): Promise<void> {
    try {
      await this.#say(session, this.#next);
      this.read += 1;
    } catch (error) {
      if (error instanceof RecordingEnds) {
        this.#at = this.#trace.apdus.length;
        return;
      }
      if (!(error instanceof SessionError)) throw error;
      assert.ok(REFUSALS.has(error.code), `${error.code}: ${error.message}`);
      this.refused += 1;
    }
  }

  async #say(session: Session, recorded: RecordedApdu): Promise<void> {
    const octets = fromHex(recorded.apdu);
    if (octets[0] === 0x62) {
      const { userInformation } = (decode(acseApdu, octets) as { value: { userInformation?: Uint8Array } }).value;
      // Two clients release with a plain InitiateRequest, or with none where it could have been ciphered.
      if ((this.#ciphered && userInformation?.[0] !== 0x21) || (!this.#ciphered && userInformation !== undefined)) {
        this.#at = this.#trace.apdus.length;
        return;
      }
      return session.release();
    }
    const request = this.#plainOf(recorded);
    if (!this.#isAgreed(session, request)) {
      // Some clients use what they did not agree on: we would not.
      await session.request(fromHex(recorded.deciphered?.plain ?? recorded.apdu), request.kind);
      return;
    }
    if (request.kind === "get-request" && request.value.kind === "normal") {
      const { attribute, access } = request.value.value;
      const value = await session.get(addressOf(attribute), selectionOf(access));
      assert.ok(value.length > 0);
      return;
    }
    if (request.kind === "get-request" && request.value.kind === "with-list") {
      const items = request.value.value.attributes.map(({ attribute, access }) => ({
        ...addressOf(attribute),
        selection: selectionOf(access),
      }));
      await session.getList(items);
      return;
    }
    if (request.kind === "set-request" && request.value.kind === "normal" && request.value.value.access === undefined) {
      const { attribute, value } = request.value.value;
      return session.set(addressOf(attribute), encode(data, value));
    }
    if (request.kind === "action-request" && request.value.kind === "normal") {
      const { method, parameters } = request.value.value;
      const { classId, instanceId, methodId } = method;
      const address = { classId, logicalName: logicalNameText(instanceId), methodId };
      await session.call(address, parameters === undefined ? undefined : encode(data, parameters));
      return;
    }
    assert.fail(`nothing says ${request.kind} again`);
  }

  #isAgreed({ negotiated }: Session, request: PlainApdu): boolean {
    const service = { "get-request": "get", "set-request": "set", "action-request": "action" } as const;
    const needed = service[request.kind as keyof typeof service];
    const list = request.kind === "get-request" && request.value.kind === "with-list";
    return negotiated.conformance.includes(needed) && (!list || negotiated.conformance.includes("multiple-references"));
  }

  get #ciphered(): boolean {
    return this.#trace.apdus[0]?.apdu.includes("60857405080103") === true;
  }

  #config(): AssociationConfig<SoftwareKey> {
    const { mechanism, keys, suite, apdus } = this.#trace;
    const [first] = apdus;
    assert.ok(first !== undefined);
    const aarq = decode(acseApdu, fromHex(first.apdu));
    assert.ok(aarq.kind === "aarq");
    const title = aarq.value.callingApTitle;
    const proposed = decode(anyApdu, fromHex(first.userInfo?.plain ?? ""));
    assert.ok(proposed.kind === "initiate-request");
    const { proposedConformance, clientMaxReceivePduSize } = proposed.value;
    const control = Number.parseInt(first.userInfo?.sc ?? "30", 16);
    const authValue = fromHex(first.authValue ?? "");
    const dedicated = typeof keys.dedicated === "string" ? fromHex(keys.dedicated) : undefined;
    const withKeys = typeof keys.guek === "string" && mechanism === 5;
    return {
      authentication:
        mechanism === 5
          ? { kind: "gmac", challenge: authValue }
          : mechanism === 1
            ? { kind: "lls", password: authValue }
            : { kind: "none" },
      conformance: proposedConformance,
      maxReceivePduSize: clientMaxReceivePduSize,
      cipheredContext: this.#ciphered,
      ...(title === undefined ? {} : { systemTitle: systemTitle(title) }),
      ...(withKeys
        ? {
            ciphering: {
              ciphers: softwareCiphers,
              suite: (control & 0x0f) as typeof suite,
              authenticated: (control & 0x10) !== 0,
              encrypted: (control & 0x20) !== 0,
              form: this.#form(),
              encryptionKey: softwareKey(fromHex(keys.guek ?? "")),
              authenticationKey: fromHex(keys.gak ?? ""),
              ...(dedicated === undefined ? {} : { dedicatedKey: { octets: dedicated, key: softwareKey(dedicated) } }),
            },
          }
        : {}),
    };
  }

  /** The form of the first request after the association. */
  #form(): CipheringForm {
    const requests = this.#trace.apdus.filter(({ dir }) => dir === "c>s");
    const form: ProtectionForm | string | undefined = protectionFormOf(fromHex(requests[2]?.apdu ?? "00")[0] ?? 0);
    return form === "dedicated" || form === "general-global" || form === "general-dedicated" ? form : "global";
  }
}

/** reply_to_HLS_authentication with security control and counter. */
const PROOF = /^c301..000f0000280000ff01010911..(........)/;
const AARQ_NAMING_NO_SECURITY = "a1090607608574050801018b0760857405080200";
const ANY_COUNTER: ReceivedCounters = { accept: () => true };
const OPENING_REFUSALS: ReadonlySet<string> = new Set(["association-rejected", "invocation-counter-error"]);
const REFUSALS: ReadonlySet<string> = new Set(["data-access-refused", "action-refused", "exception-response"]);

function addressOf({ classId, instanceId, attributeId }: AttributeDescriptor) {
  return { classId, logicalName: logicalNameText(instanceId), attributeId };
}

function selectionOf(access: SelectiveAccess | undefined) {
  return access && { selector: access.selector, parameters: encode(data, access.parameters) };
}

for (const { name, read } of files ?? []) {
  const trace = read() as Trace;
  if (!MECHANISMS.includes(trace.mechanism) || FAILED.test(name) || !trace.apdus[0]?.apdu.startsWith("60")) continue;
  test(`${name} is said again octet for octet, and its answers are understood`, async () => {
    const replay = new Replay(trace);
    await replay.run();
    assert.ok(replay.sent > 0);
    if (!name.includes("-neg-")) assert.ok(replay.sent > 1, "the association was refused");
  });
}

if (files === undefined) test("recorded exchanges are said again", { skip: "the recorded exchanges are not here" });
