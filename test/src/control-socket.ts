import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";

/** Asks a control socket, one JSON line each, over one connection. @throws Error when a request is refused or nobody is there */
export async function askControl(path: string, requests: readonly object[]): Promise<readonly unknown[]> {
  const socket = connect(path);
  await once(socket, "connect");
  const answers: unknown[] = [];
  try {
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    for (const request of requests) {
      socket.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`${path} hung up`);
      const answer = JSON.parse(value) as { readonly ok: boolean; readonly message?: string };
      if (!answer.ok) throw new Error(`${path} refused ${JSON.stringify(request)}: ${answer.message}`);
      answers.push(answer);
    }
    return answers;
  } finally {
    socket.destroy();
  }
}
