import { toHex } from "@meterkeep/dlms";
import {
  type AssignmentIndex,
  type Authorities,
  type AuthorityRecord,
  type Certificate,
  decodeCertificate,
  type Registry,
} from "@meterkeep/pki";

/** A certificate of the registry. */
export interface StandingSubject {
  readonly authority: string;
  /** Lower-case hex. */
  readonly serial: string;
  /** The device that it is for, where it is for one. */
  readonly systemTitle?: Uint8Array | undefined;
}

/** What certificates are judged by. */
export interface StandingDependencies {
  readonly authorities: Pick<Authorities, "lineOf">;
  readonly registry: Pick<Registry, "isRevoked">;
  readonly assignments: () => Promise<AssignmentIndex | undefined>;
}

/** An authority's certificate and those above it, and who of them was revoked by the one above. */
interface Line {
  readonly path: readonly Certificate[];
  readonly fallen: string | undefined;
}

/**
 * Whether certificates stand that this installation has issued, judged by the whole chain, as whoever shows one is: neither
 * it nor an authority above it is revoked, and an authority in its line may speak for its device. What was found of a line
 * is kept until something is revoked.
 */
export class Standing {
  readonly #deps: StandingDependencies;
  #lines = new Map<string, Promise<Line>>();
  /** Certificates of authorities that were looked at: what changes a line when it is revoked. */
  readonly #watched = new Set<string>();

  constructor(dependencies: StandingDependencies) {
    this.#deps = dependencies;
  }

  /** What speaks against a certificate; undefined where it stands. */
  async doubt({ authority, serial, systemTitle }: StandingSubject): Promise<string | undefined> {
    if (await this.#deps.registry.isRevoked(authority, serial)) return "it was revoked";
    const { path, fallen } = await this.#lineOf(authority);
    if (fallen !== undefined) return fallen;
    if (systemTitle === undefined) return undefined;
    const [issuer] = path;
    return (await this.#deps.assignments())?.objection(systemTitle, [issuer!, ...path]);
  }

  /** Which authority of a line was revoked by the one above it, this one or one above it; undefined where all stand. */
  async fallen(authority: string): Promise<string | undefined> {
    return (await this.#lineOf(authority)).fallen;
  }

  /** These were revoked: where an authority is among them, lines are looked at again. A million meters are none. */
  forget(authority: string, serials: readonly string[]): void {
    if (serials.some((serial) => this.#watched.has(`${authority}/${serial}`))) this.#lines = new Map();
  }

  #lineOf(authority: string): Promise<Line> {
    const lines = this.#lines;
    const known = lines.get(authority);
    if (known !== undefined) return known;
    const line = this.#read(authority);
    lines.set(authority, line);
    line.catch(() => lines.delete(authority));
    return line;
  }

  async #read(authority: string): Promise<Line> {
    const { authorities, registry } = this.#deps;
    const [{ parent, name, certificate }] = (await authorities.lineOf(authority)) as readonly [AuthorityRecord];
    const own = decodeCertificate(certificate);
    if (parent === undefined) return { path: [own], fallen: undefined };
    const serial = toHex(own.serial);
    // Before it is asked about: what is revoked meanwhile is not missed.
    this.#watched.add(`${parent}/${serial}`);
    const isRevoked = await registry.isRevoked(parent, serial);
    const above = await this.#lineOf(parent);
    const fallen = isRevoked ? `${name} was revoked by the authority above it` : above.fallen;
    return { path: [own, ...above.path], fallen };
  }
}
