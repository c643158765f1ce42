import assert from "node:assert/strict";
import { test } from "node:test";
import { certificatesLike } from "./certificates-like.ts";
import type { Custodian, CustodianRequest } from "./methods.ts";

test("every certificate that is like it comes once, over as many pages as there are", async () => {
  for (const count of [0, 1, 199, 200, 201, 400, 523]) {
    const all = Array.from({ length: count }, (_, at) => ({
      notAfter: Math.floor(at / 3),
      authority: "aa",
      serial: at.toString(16).padStart(4, "0"),
    }));
    const asked: CustodianRequest<"searchCertificates">[] = [];
    const custodian = {
      searchCertificates: async (query: CustodianRequest<"searchCertificates">) => {
        asked.push(query);
        const { after, limit } = query;
        const from = after === undefined ? 0 : all.findIndex(({ serial }) => serial === after.serial) + 1;
        return { certificates: all.slice(from, from + limit) };
      },
    } as unknown as Pick<Custodian, "searchCertificates">;
    const found: string[] = [];
    for await (const { serial } of certificatesLike(custodian, { subject: "CN=far-1", state: "valid" }))
      found.push(serial);
    assert.deepEqual(
      found,
      all.map(({ serial }) => serial),
    );
    assert.ok(asked.every(({ subject, state }) => subject === "CN=far-1" && state === "valid"));
  }
});
