import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fromHex, systemTitle, toHex } from "@meterkeep/dlms";
import { importPrivateKey } from "@meterkeep/dlms-node";
import { LEAST_FACTS } from "../protocol/meter-facts.ts";
import { withTestCustody } from "../testing/test-custody.ts";
import { KeptKeys } from "./kept-keys.ts";
import { SessionAssociation } from "./session-association.ts";
import { SessionKeys } from "./session-keys.ts";

// What a client and a meter of another stack (Gurux) have said, with every key of both: the custodian's session takes the
// client's place, and the recorded meter proves itself to it by mechanism 7.

const given = process.env["METERKEEP_SHARED"];
const FOLDER =
  given === undefined
    ? new URL("../../../../../shared/", import.meta.url)
    : pathToFileURL(`${given.replace(/\/$/, "")}/`);
const FILES = ["gxj-gxj-hls7-ecdsa-ae-suite1-glo.json", "gxj-gxj-hls7-ecdsa-suite1-securitysetup.json"].map((name) =>
  fileURLToPath(new URL(`traces/${name}`, FOLDER)),
);
const skip = FILES.every((file) => existsSync(file)) ? false : "the recorded exchanges are not here";

interface Pair {
  readonly private: string;
  readonly public: string;
}

interface Trace {
  readonly clientSystemTitle: string;
  readonly serverSystemTitle: string;
  readonly keys: Readonly<Record<"signingClient" | "agreementClient" | "signingServer" | "agreementServer", Pair>> & {
    readonly guek: string;
    readonly gak: string;
  };
  readonly apdus: readonly {
    readonly dir: "c>s" | "s>c";
    readonly apdu: string;
    readonly authValue?: string;
    readonly deciphered?: { readonly ic: number; readonly plain: string };
  }[];
}

/** x and y, without the leading octet of the uncompressed form. */
const pointOf = ({ public: hex }: Pair) => fromHex(hex.slice(-128));
const pairOf = (pair: Pair) => ({
  privateKey: importPrivateKey("P-256", fromHex(pair.private), pointOf(pair)),
  publicKey: pointOf(pair),
});

/** Begins as the recorded client did, and hears what the recorded meter answered. */
async function converse(trace: Trace, body: (session: SessionAssociation, last: string | undefined) => Promise<void>) {
  const { keys, apdus } = trace;
  const title = trace.serverSystemTitle.toUpperCase();
  await withTestCustody(async (custody) => {
    const unused = new Uint8Array(16);
    const factoryKeys = [fromHex(keys.guek), unused, fromHex(keys.gak), unused];
    await custody.add(
      { systemTitle: title, logicalDeviceName: "recorded", factoryKeys, factorySecrets: {} },
      { securitySuite: 1 },
    );
    const file = await custody.store.load(title);
    assert.ok(file);
    const [challenge, secret] = apdus.flatMap(({ authValue }) => (authValue === undefined ? [] : [fromHex(authValue)]));
    assert.ok(challenge && secret);
    const session = new SessionAssociation(
      {
        meter: file.meter,
        facts: LEAST_FACTS,
        client: systemTitle(fromHex(trace.clientSystemTitle)),
        random: () => challenge,
        isDedicated: false,
        writes: false,
        signing: {
          suite: 1,
          title: systemTitle(fromHex(trace.clientSystemTitle)),
          pairs: { digitalSignature: pairOf(keys.signingClient), keyAgreement: pairOf(keys.agreementClient) },
          believed: {
            digitalSignature: [pointOf(keys.signingServer)],
            keyAgreement: [pointOf(keys.agreementServer)],
          },
        },
      },
      await SessionKeys.open(
        custody.vault,
        file.keys,
        { GUEK: 1, GAK: 1 },
        { keeping: "session", kept: new KeptKeys() },
      ),
    );
    let effect = await session.take({ kind: "associate", invocationCounter: 1000 });
    for (const { apdu } of apdus.filter(({ dir }) => dir === "s>c").slice(0, 2)) {
      assert.equal(effect?.kind, "send");
      effect = await session.take({ kind: "received", apdu: fromHex(apdu) });
    }
    await body(session, effect?.kind);
  });
}

for (const file of FILES)
  test(`a recorded peer proves itself to a session of ours by signature: ${file.split("/").at(-1)}`, { skip }, () => {
    const trace = JSON.parse(readFileSync(file, "utf8")) as Trace;
    return converse(trace, async (session, last) => {
      assert.equal(last, "established");
      assert.ok(session.signs);
      const answers = trace.apdus.filter(({ dir, deciphered }) => dir === "s>c" && deciphered !== undefined).slice(1);
      const opened = await session.open(
        answers.map(({ apdu }) => fromHex(apdu)),
        () => false,
      );
      for (const [at, one] of opened.entries()) {
        if (one instanceof Error) throw one;
        assert.equal(toHex(one.plain), answers[at]?.deciphered?.plain);
      }
      // None of it is signed, and passes for no answer to what was.
      for (const one of await session.open([fromHex(answers[0]!.apdu)], () => true)) assert.ok(one instanceof Error);
    });
  });

test("the recorded peer is refused where another signing key is known of it", { skip }, () => {
  const trace = JSON.parse(readFileSync(FILES[0]!, "utf8")) as Trace;
  const keys = { ...trace.keys, signingServer: trace.keys.agreementServer };
  return converse({ ...trace, keys }, async (_, last) => assert.equal(last, "failed"));
});
