import { type Logger, pino } from "pino";

/** What may never stand in a log, wherever it stands in an object. */
const SECRET_PATHS = [
  "req.headers.authorization",
  "req.headers.cookie",
  'res.headers["set-cookie"]',
  "headers.authorization",
  "headers.cookie",
  "*.token",
  "*.sealed",
  "*.privateKey",
  "*.password",
  "token",
  "sealed",
  "database",
];

/** The server's log: one JSON object a line on standard output. Requests are named by method, path and id, no more. */
export function createLogger(level = "info"): Logger {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRET_PATHS, censor: "[secret]" },
    serializers: {
      req: (request: { method: string; url: string; id: string }) => ({
        method: request.method,
        path: request.url.split("?")[0],
        id: request.id,
      }),
      res: (response: { statusCode: number }) => ({ status: response.statusCode }),
    },
  });
}
