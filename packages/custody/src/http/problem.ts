import { KEY_SERVICE_PROBLEMS, type KeyServiceProblem, type KeyServiceProblemCode } from "@meterkeep/api/key-service";

/** A request that is refused as a whole: its code and detail go to the head-end, so they tell nothing that is secret. */
export class RequestProblem extends Error {
  readonly code: KeyServiceProblemCode;

  constructor(code: KeyServiceProblemCode, detail: string) {
    super(detail);
    this.name = "RequestProblem";
    this.code = code;
  }

  get status(): number {
    return KEY_SERVICE_PROBLEMS[this.code].status;
  }

  /** As RFC 9457 writes it. */
  toJSON(): KeyServiceProblem {
    const { status, title } = KEY_SERVICE_PROBLEMS[this.code];
    return { type: `urn:meterkeep:problem:${this.code}`, title, status, code: this.code, detail: this.message };
  }
}
