/** Which request an answer is to, as far as it says so: the service, and the number that the request bore. */
export interface AnswerName {
  /** The first octet of its answer. */
  readonly tag: number;
  readonly invokeId: number;
}

/** get-, set- and action-request, by the first octet, and what answers them. */
const ANSWER_OF: ReadonlyMap<number, number> = new Map([
  [0xc0, 0xc4],
  [0xc1, 0xc5],
  [0xc3, 0xc7],
]);
const ANSWERS: ReadonlySet<number> = new Set(ANSWER_OF.values());

/** Whether an APDU answers a request of the services that are numbered. */
export function isAnswer(plain: Uint8Array): boolean {
  return ANSWERS.has(plain[0] ?? 0);
}

/** What the answer to a request is called; undefined for a service whose requests bear no number. */
export function answerNameOf(request: Uint8Array): AnswerName | undefined {
  const tag = ANSWER_OF.get(request[0] ?? 0);
  return tag === undefined ? undefined : { tag, invokeId: invokeIdOf(request) };
}

/** Whether an APDU is called so. */
export function bearsName(plain: Uint8Array, { tag, invokeId }: AnswerName): boolean {
  return plain[0] === tag && invokeIdOf(plain) === invokeId;
}

/** Invoke-Id-And-Priority follows the choice within the service; its low four bits are the number (Green Book 9.5). */
function invokeIdOf(plain: Uint8Array): number {
  return (plain[2] ?? 0) & 0x0f;
}
