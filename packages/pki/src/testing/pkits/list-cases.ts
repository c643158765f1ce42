import { DlmsError, fromHex } from "@meterkeep/dlms";
import { issueCrl } from "../../revocation/crl.ts";
import type { RevocationReason } from "../../revocation/reasons.ts";
import type { Certificate } from "../../x509/certificate.ts";
import { issuingPoint, strangeList, UNKNOWN_EXTENSION } from "../strange-list.ts";
import { BEGIN } from "../test-tree.ts";
import {
  anchor,
  anchorList,
  authority,
  good,
  judge,
  leaf,
  listOf,
  named,
  type PkitsCase,
  POINT,
  pointTo,
  revocations,
  times,
  usage,
} from "./parts.ts";

const RELATIVE = fromHex("a00aa108300606035504030c00");
const FLAG = { users: fromHex("8101ff"), authorities: fromHex("8201ff"), indirect: fromHex("8401ff") };
const ATTRIBUTES = fromHex("8501ff");
const SOME_REASONS = fromHex("83020560");

/** Lists about a part of what their issuer issued that is not a shard: the fields of issuingDistributionPoint, and whether they name the certificate. */
const PARTIAL: readonly (readonly [name: string, point: Uint8Array, isRevoked: boolean])[] = [
  ["4.14.6 Invalid distributionPoint Test6", RELATIVE, true],
  ["4.14.8 Invalid distributionPoint Test8", RELATIVE, false],
  ["4.14.11 Invalid onlyContainsUserCerts CRL Test11", FLAG.users, false],
  ["4.14.12 Invalid onlyContainsCACerts CRL Test12", FLAG.authorities, false],
  ["4.14.14 Invalid onlyContainsAttributeCerts Test14", ATTRIBUTES, false],
  ["4.14.15 Invalid onlySomeReasons Test15", SOME_REASONS, true],
  ["4.14.16 Invalid onlySomeReasons Test16", SOME_REASONS, true],
  ["4.14.17 Invalid onlySomeReasons Test17", SOME_REASONS, false],
  ["4.14.20 Invalid onlySomeReasons Test20", SOME_REASONS, true],
  ["4.14.21 Invalid onlySomeReasons Test21", SOME_REASONS, true],
  ["4.14.23 Invalid IDP with indirectCRL Test23", FLAG.indirect, true],
  ["4.14.26 Invalid IDP with indirectCRL Test26", FLAG.indirect, false],
  ["4.14.27 Invalid cRLIssuer Test27", FLAG.indirect, false],
  ["4.14.31 Invalid cRLIssuer Test31", FLAG.indirect, true],
  ["4.14.32 Invalid cRLIssuer Test32", FLAG.indirect, true],
  ["4.14.34 Invalid cRLIssuer Test34", FLAG.indirect, true],
  ["4.14.35 Invalid cRLIssuer Test35", FLAG.indirect, false],
];

/** Cases about revocation lists: sections 4.4, 4.14 and 4.15 of PKITS. */
export const LIST_CASES: readonly PkitsCase[] = [
  ["4.4.1 Missing CRL Test1", "revocation-unknown", () => judge(leaf(good), [good], [anchorList])],
  [
    "4.4.2 Invalid Revoked CA Test2",
    "revoked",
    () => {
      const end = leaf(good);
      return judge(end, [good], [listOf(anchor, good.certificate), listOf(good)]);
    },
  ],
  [
    "4.4.3 Invalid Revoked EE Test3",
    "revoked",
    () => {
      const end = leaf(good);
      return judge(end, [good], [anchorList, listOf(good, end)]);
    },
  ],
  [
    "4.4.4 Invalid Bad CRL Signature Test4",
    "revocation-unknown",
    () => {
      const spoilt = listOf(good).slice();
      spoilt[spoilt.length - 1]! ^= 1;
      return judge(leaf(good), [good], [anchorList, spoilt]);
    },
  ],
  [
    "4.4.5 Invalid Bad CRL Issuer Name Test5",
    "revocation-unknown",
    () => {
      const renamed = { ...good, certificate: { ...good.certificate, subject: named("Incorrect CRL Issuer") } };
      return judge(leaf(good), [good], [anchorList, listOf(renamed)]);
    },
  ],
  ["4.4.6 Invalid Wrong CRL Test6", "revocation-unknown", () => judge(leaf(good), [good], [anchorList])],
  ["4.4.7 Valid Two CRLs Test7", "valid", () => judge(leaf(good), [good], [anchorList, anchorList, listOf(good)])],
  [
    "4.4.8 Invalid Unknown CRL Entry Extension Test8",
    "revocation-unknown",
    () =>
      judge(
        leaf(good),
        [good],
        [anchorList, strangeList(good, { revoked: [leaf(good).serial], isEntryStrange: true })],
      ),
  ],
  [
    "4.4.9 Invalid Unknown CRL Extension Test9",
    "revocation-unknown",
    () =>
      judge(
        leaf(good),
        [good],
        [anchorList, strangeList(good, { revoked: [leaf(good).serial], own: [UNKNOWN_EXTENSION] })],
      ),
  ],
  [
    "4.4.10 Invalid Unknown CRL Extension Test10 (for the very certificate)",
    "revocation-unknown",
    () => {
      const end = leaf(good);
      return judge(end, [good], [anchorList, strangeList(good, { revoked: [end.serial], own: [UNKNOWN_EXTENSION] })]);
    },
  ],
  [
    "4.4.11 Invalid Old CRL nextUpdate Test11",
    "revocation-unknown",
    () => {
      const order = { number: 1n, thisUpdate: BEGIN, nextUpdate: new Date("2026-02-01T00:00:00Z") };
      return judge(leaf(good), [good], [anchorList, issueCrl(good, order, [])]);
    },
  ],
  [
    "4.4.12 Invalid pre2000 CRL nextUpdate Test12",
    "revocation-unknown",
    () => {
      const order = {
        number: 1n,
        thisUpdate: new Date("1998-01-01T00:00:00Z"),
        nextUpdate: new Date("1999-01-01T00:00:00Z"),
      };
      return judge(leaf(good), [good], [anchorList, issueCrl(good, order, [])]);
    },
  ],
  [
    "4.4.13 Valid GeneralizedTime CRL nextUpdate Test13",
    "valid",
    () => {
      const order = { number: 1n, thisUpdate: BEGIN, nextUpdate: new Date("2050-01-01T12:01:00Z") };
      return judge(leaf(good), [good], [anchorList, issueCrl(good, order, [])]);
    },
  ],
  [
    "4.4.15 Invalid Negative Serial Number Test15 (no certificate at all)",
    "malformed",
    () => {
      const patch = (octets: Uint8Array) => {
        const at = Buffer.from(octets).indexOf(Uint8Array.of(0x02, 16, 0x11));
        return Uint8Array.from(octets).fill(0xff, at + 2, at + 3);
      };
      try {
        return judge(leaf(good, { patch }), [good]);
      } catch (error) {
        if (error instanceof DlmsError) return "malformed";
        throw error;
      }
    },
  ],
  [
    "4.4.16 Valid Long Serial Number Test16",
    "valid",
    () => {
      const [own, other] = [0x7a, 0x7b].map((at) => leaf(good, { serial: new Uint8Array(20).fill(at) }));
      return judge(own!, [good], [anchorList, listOf(good, other!)]);
    },
  ],
  [
    "4.4.17 Valid Long Serial Number Test17",
    "valid",
    () => {
      const serial = new Uint8Array(20).fill(0x7a);
      const [own, other] = [leaf(good, { serial }), leaf(good, { serial: Uint8Array.from(serial).fill(0x7b, 0, 1) })];
      return judge(own, [good], [anchorList, listOf(good, other)]);
    },
  ],
  [
    "4.4.18 Invalid Long Serial Number Test18",
    "revoked",
    () => {
      const end = leaf(good, { serial: new Uint8Array(20).fill(0x7a) });
      return judge(end, [good], [anchorList, listOf(good, end)]);
    },
  ],
  ...([20, 21] as const).map(
    (number): PkitsCase => [
      `4.4.${number} Invalid Separate Certificate and CRL Keys Test${number} (the list of another key says nothing here)`,
      "revocation-unknown",
      () => {
        const own = authority(anchor, "Separate keys CA");
        const forLists = authority(anchor, "Separate keys CA", {}, [usage(["cRLSign"])]);
        const end = leaf(own);
        const lists = [listOf(forLists, ...(number === 20 ? [end] : []))];
        const above = number === 20 ? anchorList : listOf(anchor, forLists.certificate);
        return judge(end, [own, forLists], [above, ...lists]);
      },
    ],
  ),
  ["4.14.1 Valid distributionPoint Test1", "valid", () => judge(pointed(), [good], [anchorList, shardList(POINT)])],
  [
    "4.14.2 Invalid distributionPoint Test2",
    "revoked",
    () => {
      const end = pointed();
      return judge(end, [good], [anchorList, shardList(POINT, end)]);
    },
  ],
  [
    // A list of another shard does not name it, and says nothing of it.
    "4.14.3 Invalid distributionPoint Test3",
    "revocation-unknown",
    () => judge(pointed(), [good], [anchorList, shardList(`${POINT}x`)]),
  ],
  [
    "4.14.9 Invalid distributionPoint Test9",
    "revocation-unknown",
    () => judge(leaf(good), [good], [anchorList, shardList(POINT)]),
  ],
  [
    "4.14.10 Valid No issuingDistributionPoint Test10",
    "valid",
    () => judge(pointed(), [good], [anchorList, listOf(good)]),
  ],
  ...PARTIAL.map(
    ([name, point, isRevoked]): PkitsCase => [
      `${name} (a list of a part that is not a shard says nothing here)`,
      "revocation-unknown",
      () => {
        const end = pointed();
        const revoked = isRevoked ? [end.serial] : [];
        return judge(end, [good], [anchorList, strangeList(good, { revoked, own: [issuingPoint(point)] })]);
      },
    ],
  ),
  ["4.15.1 Invalid deltaCRLIndicator No Base Test1", "revocation-unknown", () => byDelta({ delta: [2n, 1n, "none"] })],
  ["4.15.2 Valid delta-CRL Test2", "valid", () => byDelta({ full: [1n, "none"], delta: [2n, 1n, "none"] })],
  [
    "4.15.3 Invalid delta-CRL Test3",
    "revoked",
    () => byDelta({ full: [1n, "keyCompromise"], delta: [2n, 1n, "none"] }),
  ],
  [
    "4.15.4 Invalid delta-CRL Test4",
    "revoked",
    () => byDelta({ full: [1n, "none"], delta: [2n, 1n, "keyCompromise"] }),
  ],
  [
    "4.15.5 Valid delta-CRL Test5",
    "valid",
    () => byDelta({ full: [1n, "certificateHold"], delta: [2n, 1n, "removeFromCRL"] }),
  ],
  [
    "4.15.6 Invalid delta-CRL Test6",
    "revoked",
    () => byDelta({ full: [1n, "certificateHold"], delta: [2n, 1n, "keyCompromise"] }),
  ],
  ["4.15.7 Valid delta-CRL Test7", "valid", () => byDelta({ full: [1n, "none"], delta: [2n, 1n, "removeFromCRL"] })],
  ["4.15.8 Valid delta-CRL Test8", "valid", () => byDelta({ full: [5n, "none"], delta: [6n, 3n, "none"] })],
  [
    "4.15.9 Invalid delta-CRL Test9",
    "revoked",
    () => byDelta({ full: [5n, "keyCompromise"], delta: [6n, 3n, "keyCompromise"] }),
  ],
  [
    "4.15.10 Invalid delta-CRL Test10",
    "revocation-unknown",
    () => byDelta({ full: [1n, "none"], delta: [6n, 5n, "none"], fullEnds: new Date("2026-02-01T00:00:00Z") }),
  ],
];

/** A certificate that names the address of its list. */
const pointed = () => leaf(good, {}, [usage(["digitalSignature"]), pointTo(POINT)]);

const shardList = (shard: string, ...revoked: readonly Certificate[]) =>
  issueCrl(good, { number: 1n, ...times, shard }, revocations(...revoked));

type Said = RevocationReason | "none";

/** What is said of a certificate by a full list, and by a delta since another number. */
function byDelta(lists: {
  readonly full?: readonly [number: bigint, said: Said];
  readonly delta: readonly [number: bigint, since: bigint, said: Said];
  readonly fullEnds?: Date;
}): string {
  const end = leaf(good);
  const entry = (reason: Said) => (reason === "none" ? [] : [{ serial: end.serial, revokedAt: BEGIN, reason }]);
  const [number, since, said] = lists.delta;
  const octets = [anchorList, issueCrl(good, { number, since, ...times }, entry(said))];
  if (lists.full !== undefined) {
    const order = { number: lists.full[0], ...times, nextUpdate: lists.fullEnds ?? times.nextUpdate };
    octets.push(issueCrl(good, order, entry(lists.full[1])));
  }
  return judge(end, [good], octets);
}
