import assert from "node:assert/strict";
import { test } from "node:test";
import { append, EMPTY_FRONTIER, type Frontier, rootOf } from "./frontier.ts";
import { EMPTY_ROOT, leafHash, nodeHash } from "./node-hash.ts";
import { consistencyProof, inclusionProof } from "./proofs.ts";
import { readerBehind } from "./stored-nodes.ts";
import { includes, isGrownFrom, type TreeHead } from "./verify-proofs.ts";

const SIZES = 40;
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
const leaves = Array.from({ length: SIZES }, (_, at) => leafHash(Uint8Array.of(at)));

/** The definition itself (RFC 9162, 2.1.1), as slow as it is plain. */
function treeHash(of: readonly Uint8Array[]): Uint8Array {
  if (of.length === 0) return EMPTY_ROOT;
  if (of.length === 1) return of[0] as Uint8Array;
  let left = 1;
  while (left * 2 < of.length) left *= 2;
  return nodeHash(treeHash(of.slice(0, left)), treeHash(of.slice(left)));
}

const nodes = new Map<string, Uint8Array>();
const heads: TreeHead[] = [{ size: 0, root: rootOf(EMPTY_FRONTIER) }];
let frontier: Frontier = EMPTY_FRONTIER;
for (const leaf of leaves) {
  const next = append(frontier, leaf);
  for (const { level, index, hash } of next.completed) nodes.set(`${level}/${index}`, hash);
  frontier = next.frontier;
  heads.push({ size: frontier.size, root: rootOf(frontier) });
}
const read = async (level: number, index: number) => nodes.get(`${level}/${index}`) as Uint8Array;
const headOf = (size: number) => heads[size] as TreeHead;

test("appending gives the roots of the definition, from the empty tree on", () => {
  for (const { size, root } of heads) assert.equal(hex(root), hex(treeHash(leaves.slice(0, size))), String(size));
  assert.equal(hex(EMPTY_ROOT), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});

test("the roots of the vectors of Certificate Transparency come out", () => {
  // Entries and roots of the reference implementation's test (certificate-transparency, merkle_tree_test).
  const entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
  const root = (count: number) =>
    hex(treeHash(entries.slice(0, count).map((text) => leafHash(Buffer.from(text, "hex")))));
  assert.equal(root(1), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  assert.equal(root(2), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
  assert.equal(root(8), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
});

test("every entry of every tree is proven to be in it, and at no other place and in no other tree", async () => {
  for (let size = 1; size <= SIZES; size += 1)
    for (let index = 0; index < size; index += 1) {
      const leaf = leaves[index] as Uint8Array;
      const proof = await inclusionProof(read, index, size);
      assert.ok(includes(headOf(size), index, leaf, proof), `${index} of ${size}`);
      assert.equal(includes(headOf(size), index, leafHash(Uint8Array.of(99)), proof), false);
      assert.equal(includes(headOf(size), index, leaf, [...proof, leaf]), false);
      if (proof.length > 0) assert.equal(includes(headOf(size), index, leaf, proof.slice(1)), false);
      for (const other of [index + 1, index - 1, size, -1, 0.5])
        assert.equal(includes(headOf(size), other, leaf, proof), false, `${index} of ${size} as ${other}`);
    }
});

test("every tree is proven to have grown from each before it, and from no other", async () => {
  for (let size = 1; size <= SIZES; size += 1)
    for (let former = 1; former <= size; former += 1) {
      const proof = await consistencyProof(read, former, size);
      assert.ok(isGrownFrom(headOf(former), headOf(size), proof), `${former} in ${size}`);
      const forged = { size: former, root: leafHash(Uint8Array.of(99)) };
      assert.equal(isGrownFrom(forged, headOf(size), proof), false);
      assert.equal(isGrownFrom(headOf(former), { size, root: forged.root }, proof), false);
      assert.equal(isGrownFrom(headOf(former), headOf(size), [...proof, forged.root]), false);
      if (proof.length > 0) assert.equal(isGrownFrom(headOf(former), headOf(size), proof.slice(1)), false);
    }
  assert.equal(isGrownFrom(headOf(5), headOf(3), []), false);
  await assert.rejects(inclusionProof(read, 3, 3), RangeError);
  await assert.rejects(consistencyProof(read, 4, 3), RangeError);
});

test("what follows a known edge is proven whatever of the entries before it is gone, and nothing where one since is", async () => {
  for (const size of [1, 2, 7, 8, 21, 32, 39]) {
    const edge = leaves.slice(0, size).reduce((to, leaf) => append(to, leaf).frontier, EMPTY_FRONTIER);
    const behind = (gone: (index: number) => boolean) =>
      readerBehind(edge, {
        nodes: async (level, from, count) =>
          level > 0 ? [] : leaves.slice(from, from + count).filter((_, at) => !gone(from + at)),
      });
    for (let whole = size + 1; whole <= SIZES; whole += 1)
      for (let index = size; index < whole; index += 1) {
        const proof = await inclusionProof(
          behind((at) => at < size),
          index,
          whole,
        );
        assert.ok(includes(headOf(whole), index, leaves[index] as Uint8Array, proof), `${index} of ${whole}`);
      }
    if (size < SIZES - 1)
      await assert.rejects(
        inclusionProof(
          behind((at) => at === SIZES - 1),
          size,
          SIZES,
        ),
        RangeError,
      );
  }
});
