import type { ReactNode } from "react";

/** The head of a page: where it stands (`crumb`), what it is, what is so in a sentence, and beside that what can be done. */
export function PageHead({
  crumb,
  title,
  titleClass,
  lede,
  live = false,
  children,
}: {
  readonly crumb?: ReactNode;
  readonly title: ReactNode;
  readonly titleClass?: string;
  readonly lede?: ReactNode;
  /** Whether a change of the sentence is read out. */
  readonly live?: boolean;
  readonly children?: ReactNode;
}) {
  return (
    <div className="page-head">
      <div>
        {crumb === undefined ? null : <p className="crumb">{crumb}</p>}
        <h1 className={titleClass}>{title}</h1>
        {lede === undefined ? null : (
          <p className="lede" role={live ? "status" : undefined}>
            {lede}
          </p>
        )}
      </div>
      {children}
    </div>
  );
}
