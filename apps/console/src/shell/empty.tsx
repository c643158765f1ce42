import type { ReactNode } from "react";
import { Command } from "./command.tsx";

/** Says why there is nothing yet and what makes something come. */
export function Empty({ children, command }: { children: ReactNode; command?: string }) {
  return (
    <div className="empty">
      <p>{children}</p>
      {command === undefined ? null : <Command text={command} />}
    </div>
  );
}
