import { IconAlertTriangle } from "@tabler/icons-react";
import { RequestError } from "../api/request.ts";

/** An error with its stable code, in the words of whoever raised it. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const code = error instanceof RequestError ? error.code : undefined;
  const text = error instanceof Error ? error.message : String(error);
  return (
    <div className="failure" role="alert">
      <IconAlertTriangle size={18} aria-hidden />
      <div>
        <p>{text}</p>
        {code === undefined ? null : (
          <p className="dim">
            <code>{code}</code>
          </p>
        )}
        {retry === undefined ? null : (
          <button type="button" className="text-button" onClick={retry}>
            Try again
          </button>
        )}
      </div>
    </div>
  );
}
