/// <reference path="./pg-copy-streams.d.ts" />
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type pg from "pg";
import { from as copyFrom } from "pg-copy-streams";

/** Seconds from 1970 to 2000, where PostgreSQL counts dates from, in days. */
const EPOCH_2000_DAYS = 10_957;
const SIGNATURE = Buffer.concat([Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"), Buffer.alloc(8)]);
const FIRST_BYTES = 65_536;

/**
 * Rows in PostgreSQL's binary form for COPY: begin a row, then add each of its columns in their order and type. Numbers
 * that do not fit their type are a RangeError.
 */
export class CopyRows {
  #octets = Buffer.allocUnsafe(FIRST_BYTES);
  #at = SIGNATURE.copy(this.#octets);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  row(columns: number): void {
    this.#room(2);
    this.#at = this.#octets.writeInt16BE(columns, this.#at);
    this.#count += 1;
  }

  smallint(value: number): void {
    this.#length(2);
    this.#at = this.#octets.writeInt16BE(value, this.#at);
  }

  integer(value: number): void {
    this.#length(4);
    this.#at = this.#octets.writeInt32BE(value, this.#at);
  }

  /** A bigint that is exact as a number, or any. */
  bigint(value: number | bigint): void {
    this.#length(8);
    this.#at = this.#octets.writeBigInt64BE(BigInt(value), this.#at);
  }

  /** A date by the start of its UTC day, milliseconds since 1970. */
  date(day: number): void {
    this.integer(day / 86_400_000 - EPOCH_2000_DAYS);
  }

  bytea(value: Uint8Array): void {
    this.#length(value.length);
    this.#octets.set(value, this.#at);
    this.#at += value.length;
  }

  /** Everything so far, with COPY's end. */
  finished(): Buffer {
    this.#room(2);
    this.#octets.writeInt16BE(-1, this.#at);
    return this.#octets.subarray(0, this.#at + 2);
  }

  #length(octets: number): void {
    this.#room(4 + octets);
    this.#at = this.#octets.writeInt32BE(octets, this.#at);
  }

  #room(octets: number): void {
    if (this.#at + octets <= this.#octets.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#octets.length * 2, this.#at + octets));
    this.#octets.copy(larger, 0, 0, this.#at);
    this.#octets = larger;
  }
}

/** Copies rows into a table: `columns` is the list between the brackets. What PostgreSQL refuses is thrown as it is. */
export async function copyInto(
  client: Pick<pg.PoolClient, "query">,
  table: string,
  columns: string,
  rows: CopyRows,
): Promise<void> {
  const stream = client.query(copyFrom(`copy ${table} (${columns}) from stdin (format binary)`));
  await pipeline(Readable.from([rows.finished()], { objectMode: false }), stream);
}
